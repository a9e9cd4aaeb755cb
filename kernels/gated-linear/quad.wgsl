// The matrices of `gated-linear` as quads of lines (kernels/matrix/README.md). The quad at `output` holds the weights of outputs
// `output` and output + step, or of the last output where that is too far. Lines 0 and 1 are from the gate and read by `first_`
// functions, lines 2 and 3 from the up matrix and read by `second_` functions.
//
// Prepended by the device: `params`, and
//   x [rows, inputs / 4] of vec4<f32>
//   gate [outputs, row_stride(inputs)]
//   up [outputs, row_stride(inputs)]
//   gate_bias [output_stride]
//   up_bias [output_stride]
//   y [rows, output_stride]

/// Outputs of a quad.
const QUAD = 2u;

/// The element at which line n of the quad at `output` begins, in its matrix.
fn line(n: u32, output: u32, step: u32) -> u32 {
  return min(output + (n & 1u) * step, params.outputs - 1u) * row_stride(params.inputs);
}

fn first_element(at: u32) -> Packed4 { return gate[at]; }

fn second_element(at: u32) -> Packed4 { return up[at]; }

/// Finishes the sums of one row that exist, one a line.
fn finish_row(row: u32, output: u32, step: u32, sums: vec4<f32>) {
  for (var n = 0u; n < 2u; n++) {
    let own = output + n * step;
    if (own < params.outputs) { store(row, own, sums[n], sums[n + 2u]); }
  }
}
