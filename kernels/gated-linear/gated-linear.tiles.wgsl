// Gated linear for many rows: a lane keeps a tile of 4 rows x 4 outputs of both matrices in registers. The 4 rows are the
// same for all lanes of a workgroup, their loads one address; neighbouring lanes take neighbouring outputs. x stays
// row-major: `weights * rows` is four dot products along k. The epilogue (biases, activation, product) stands in a prelude.
// Weights are unpacked by the prelude of their format; inputs is a multiple of 4.

override WORKGROUP: u32;

struct Params {
  rows: u32,
  inputs: u32,
  outputs: u32,
  output_begin: u32,
  output_stride: u32,
  activation: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;    // [rows, inputs / 4]
@group(0) @binding(1) var<storage, read> gate: array<Packed4>;   // [outputs, row_stride(inputs)]
@group(0) @binding(2) var<storage, read> up: array<Packed4>;     // [outputs, row_stride(inputs)]
@group(0) @binding(3) var<storage, read> gate_bias: array<f32>;  // [output_stride]
@group(0) @binding(4) var<storage, read> up_bias: array<f32>;    // [output_stride]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;    // [rows, output_stride]
@group(0) @binding(6) var<uniform> params: Params;

/// Weights 4k.. of the row of `gate` that begins at `row`.
fn gate4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(gate[codes_at(row, k)], gate[scale_at(row, k)], k);
}

/// Weights 4k.. of the row of `up` that begins at `row`.
fn up4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(up[codes_at(row, k)], up[scale_at(row, k)], k);
}

/// Finishes one output of the rows that exist.
fn finish(row: u32, output: u32, gates: vec4<f32>, ups: vec4<f32>) {
  if (output >= params.outputs) { return; }
  for (var r = 0u; r < min(4u, params.rows - row); r++) { store(row + r, output, gates[r], ups[r]); }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup_id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_id.y * 4u;
  let output = workgroup_id.x * WORKGROUP * 4u + lane;
  let groups = params.inputs / 4u;
  let stride = row_stride(params.inputs);
  let last_row = params.rows - 1u;
  let x0 = row * groups;
  let x1 = min(row + 1u, last_row) * groups;
  let x2 = min(row + 2u, last_row) * groups;
  let x3 = min(row + 3u, last_row) * groups;
  let last = params.outputs - 1u;
  let w0 = min(output, last) * stride;
  let w1 = min(output + WORKGROUP, last) * stride;
  let w2 = min(output + WORKGROUP * 2u, last) * stride;
  let w3 = min(output + WORKGROUP * 3u, last) * stride;

  var g0 = vec4<f32>();
  var g1 = vec4<f32>();
  var g2 = vec4<f32>();
  var g3 = vec4<f32>();
  var u0 = vec4<f32>();
  var u1 = vec4<f32>();
  var u2 = vec4<f32>();
  var u3 = vec4<f32>();
  for (var k = 0u; k < groups; k++) {
    let rows = mat4x4<f32>(x[x0 + k], x[x1 + k], x[x2 + k], x[x3 + k]);
    g0 += gate4(w0, k) * rows;
    g1 += gate4(w1, k) * rows;
    g2 += gate4(w2, k) * rows;
    g3 += gate4(w3, k) * rows;
    u0 += up4(w0, k) * rows;
    u1 += up4(w1, k) * rows;
    u2 += up4(w2, k) * rows;
    u3 += up4(w3, k) * rows;
  }
  finish(row, output, g0, u0);
  finish(row, output + WORKGROUP, g1, u1);
  finish(row, output + WORKGROUP * 2u, g2, u2);
  finish(row, output + WORKGROUP * 3u, g3, u3);
}
