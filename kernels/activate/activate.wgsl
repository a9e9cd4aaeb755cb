// y = act(x) (· up), one element a lane. The activations are in activation.wgsl.
//
// Prepended by the device: `params`, x [rows, dim], up [rows, dim], y [rows, dim].

override HAS_UP: bool;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows * params.dim) { return; }
  var value = activate(params.activation, x[place]);
  if (HAS_UP) { value *= up[place]; }
  y[place] = value;
}
