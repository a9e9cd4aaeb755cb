// Linear for many rows: a lane keeps a tile of 4 rows x 8 outputs in registers. The 4 rows are the same for all lanes of a
// workgroup, their loads one address; neighbouring lanes take neighbouring outputs. x stays row-major: `weights * rows` is
// four dot products along k. The epilogue (bias, activation, softcap, residual) stands in a prelude.
// Weights are unpacked by the prelude of their format; inputs is a multiple of 4.

override WORKGROUP: u32;

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

/// Weights 4k.. of the row of `weight` that begins at `row`.
fn weight4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(weight[codes_at(row, k)], weight[scale_at(row, k)], k);
}

/// Finishes one output of the rows that exist.
fn finish(row: u32, output: u32, sums: vec4<f32>) {
  if (output >= params.outputs) { return; }
  for (var r = 0u; r < min(4u, params.rows - row); r++) { store(row + r, output, sums[r]); }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup_id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_id.y * 4u;
  let output = workgroup_id.x * WORKGROUP * 8u + lane;
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
  let w4 = min(output + WORKGROUP * 4u, last) * stride;
  let w5 = min(output + WORKGROUP * 5u, last) * stride;
  let w6 = min(output + WORKGROUP * 6u, last) * stride;
  let w7 = min(output + WORKGROUP * 7u, last) * stride;

  var s0 = vec4<f32>();
  var s1 = vec4<f32>();
  var s2 = vec4<f32>();
  var s3 = vec4<f32>();
  var s4 = vec4<f32>();
  var s5 = vec4<f32>();
  var s6 = vec4<f32>();
  var s7 = vec4<f32>();
  for (var k = 0u; k < groups; k++) {
    let rows = mat4x4<f32>(x[x0 + k], x[x1 + k], x[x2 + k], x[x3 + k]);
    s0 += weight4(w0, k) * rows;
    s1 += weight4(w1, k) * rows;
    s2 += weight4(w2, k) * rows;
    s3 += weight4(w3, k) * rows;
    s4 += weight4(w4, k) * rows;
    s5 += weight4(w5, k) * rows;
    s6 += weight4(w6, k) * rows;
    s7 += weight4(w7, k) * rows;
  }
  finish(row, output, s0);
  finish(row, output + WORKGROUP, s1);
  finish(row, output + WORKGROUP * 2u, s2);
  finish(row, output + WORKGROUP * 3u, s3);
  finish(row, output + WORKGROUP * 4u, s4);
  finish(row, output + WORKGROUP * 5u, s5);
  finish(row, output + WORKGROUP * 6u, s6);
  finish(row, output + WORKGROUP * 7u, s7);
}
