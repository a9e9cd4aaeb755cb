// Linear for two to four rows: a subgroup takes 8 outputs of all rows, its lanes share out the inputs, four at a time, and
// add up at the end. Every weight is read once for all rows. A workgroup has as many subgroups as the adapter makes of it;
// together they take OUTPUTS outputs. The epilogue (bias, activation, softcap, residual) stands in a prelude.
// Weights are unpacked by the prelude of their format; inputs is a multiple of 4.

override WORKGROUP: u32;
override OUTPUTS: u32;

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

/// Adds up the lanes' sums of one output, [rows], and finishes it.
fn finish(output: u32, sums: vec4<f32>, lane: u32) {
  let totals = subgroupAdd(sums);
  if (lane > 0u || output >= params.outputs) { return; }
  for (var row = 0u; row < params.rows; row++) { store(row, output, totals[row]); }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 4u;
  let stride = row_stride(params.inputs);
  let last = params.outputs - 1u;
  let begin = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * OUTPUTS;
  let end = min(begin + OUTPUTS, params.outputs);
  let x1 = min(1u, params.rows - 1u) * groups;
  let x2 = min(2u, params.rows - 1u) * groups;
  let x3 = min(3u, params.rows - 1u) * groups;
  for (var output = begin + index / lanes * 8u; output < end; output += WORKGROUP / lanes * 8u) {
    let w0 = output * stride;
    let w1 = min(output + 1u, last) * stride;
    let w2 = min(output + 2u, last) * stride;
    let w3 = min(output + 3u, last) * stride;
    let w4 = min(output + 4u, last) * stride;
    let w5 = min(output + 5u, last) * stride;
    let w6 = min(output + 6u, last) * stride;
    let w7 = min(output + 7u, last) * stride;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    for (var k = lane; k < groups; k += lanes) {
      let rows = mat4x4<f32>(x[k], x[x1 + k], x[x2 + k], x[x3 + k]);
      s0 += weight4(w0, k) * rows;
      s1 += weight4(w1, k) * rows;
      s2 += weight4(w2, k) * rows;
      s3 += weight4(w3, k) * rows;
      s4 += weight4(w4, k) * rows;
      s5 += weight4(w5, k) * rows;
      s6 += weight4(w6, k) * rows;
      s7 += weight4(w7, k) * rows;
    }
    finish(output, s0, lane);
    finish(output + 1u, s1, lane);
    finish(output + 2u, s2, lane);
    finish(output + 3u, s3, lane);
    finish(output + 4u, s4, lane);
    finish(output + 5u, s5, lane);
    finish(output + 6u, s6, lane);
    finish(output + 7u, s7, lane);
  }
}
