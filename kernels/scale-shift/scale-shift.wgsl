// y = x · (weight_offset + weight) + bias, one element a lane.
//
// Prepended by the device: `params`, x [rows, dim], weight [dim], bias [dim], y [rows, dim].

override HAS_BIAS: bool;

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
