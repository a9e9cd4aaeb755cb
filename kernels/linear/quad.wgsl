// The matrix of `linear` as quads of lines (kernels/matrix/README.md). Line n of the quad at `output` holds the weights of output
// n · step further, or of the last output where that is too far. Lines 0 and 1 are read by `first_` functions, lines 2 and 3 by
// `second_` functions; here both read the same matrix.
//
// Prepended by the device: `params`, and
//   x [rows, inputs / 4] of vec4<f32>
//   weight [outputs, row_stride(inputs)]
//   bias [output_stride]
//   residual [rows, output_stride]
//   y [rows, output_stride]

/// Outputs of a quad.
const QUAD = 4u;

/// The element at which line n of the quad at `output` begins.
fn line(n: u32, output: u32, step: u32) -> u32 {
  return min(output + n * step, params.outputs - 1u) * row_stride(params.inputs);
}

fn first_element(at: u32) -> Packed4 { return weight[at]; }

fn second_element(at: u32) -> Packed4 { return weight[at]; }

/// Finishes the sums of one row that exist, one a line.
fn finish_row(row: u32, output: u32, step: u32, sums: vec4<f32>) {
  for (var n = 0u; n < 4u; n++) {
    let own = output + n * step;
    if (own < params.outputs) { store(row, own, sums[n]); }
  }
}
