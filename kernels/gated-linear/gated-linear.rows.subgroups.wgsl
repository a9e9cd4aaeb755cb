// Gated linear for two to four rows: a subgroup takes 4 outputs of both matrices and all rows, its lanes share out the inputs,
// four at a time, and add up at the end. Every weight is read once for all rows. A workgroup has as many subgroups as the
// adapter makes of it; together they take OUTPUTS outputs. The epilogue stands in a prelude.
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

/// Adds up the lanes' sums of one output, [rows], and finishes it.
fn finish(output: u32, gates: vec4<f32>, ups: vec4<f32>, lane: u32) {
  let gate_totals = subgroupAdd(gates);
  let up_totals = subgroupAdd(ups);
  if (lane > 0u || output >= params.outputs) { return; }
  for (var row = 0u; row < params.rows; row++) { store(row, output, gate_totals[row], up_totals[row]); }
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
  for (var output = begin + index / lanes * 4u; output < end; output += WORKGROUP / lanes * 4u) {
    let w0 = output * stride;
    let w1 = min(output + 1u, last) * stride;
    let w2 = min(output + 2u, last) * stride;
    let w3 = min(output + 3u, last) * stride;
    var g0 = vec4<f32>();
    var g1 = vec4<f32>();
    var g2 = vec4<f32>();
    var g3 = vec4<f32>();
    var u0 = vec4<f32>();
    var u1 = vec4<f32>();
    var u2 = vec4<f32>();
    var u3 = vec4<f32>();
    for (var k = lane; k < groups; k += lanes) {
      let rows = mat4x4<f32>(x[k], x[x1 + k], x[x2 + k], x[x3 + k]);
      g0 += gate4(w0, k) * rows;
      g1 += gate4(w1, k) * rows;
      g2 += gate4(w2, k) * rows;
      g3 += gate4(w3, k) * rows;
      u0 += up4(w0, k) * rows;
      u1 += up4(w1, k) * rows;
      u2 += up4(w2, k) * rows;
      u3 += up4(w3, k) * rows;
    }
    finish(output, g0, u0, lane);
    finish(output + 1u, g1, u1, lane);
    finish(output + 2u, g2, u2, lane);
    finish(output + 3u, g3, u3, lane);
  }
}
