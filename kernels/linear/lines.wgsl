// `linear` as the loops in kernels/matrix see it: its bindings, and its matrix as quads of lines. Line n of the quad at
// `output` holds the weights of output + n · step, or of the last output where that is too far; lines 0 and 1 are read
// by `first_`, 2 and 3 by `second_` functions, here from the same matrix.

struct Params {
  rows: u32,
  inputs: u32,
  outputs: u32,
  output_begin: u32,
  output_stride: u32,
  activation: u32,
  softcap: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;     // [rows, inputs / 4]
@group(0) @binding(1) var<storage, read> weight: array<Packed4>;  // [outputs, row_stride(inputs)]
@group(0) @binding(2) var<storage, read> bias: array<f32>;        // [output_stride]
@group(0) @binding(3) var<storage, read> residual: array<f32>;    // [rows, output_stride]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;     // [rows, output_stride]
@group(0) @binding(5) var<uniform> params: Params;

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
