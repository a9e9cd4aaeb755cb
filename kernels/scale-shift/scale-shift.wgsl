// y = x · (weight_offset + weight) + bias, one element a lane.

override HAS_BIAS: bool;

struct Params {
  rows: u32,
  dim: u32,
  weight_offset: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;        // [rows, dim]
@group(0) @binding(1) var<storage, read> weight: array<f32>;   // [dim]
@group(0) @binding(2) var<storage, read> bias: array<f32>;     // [dim]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [rows, dim]
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows * params.dim) { return; }
  let i = place % params.dim;
  var value = x[place] * (params.weight_offset + weight[i]);
  if (HAS_BIAS) { value += bias[i]; }
  y[place] = value;
}
