// y = a + b, one element a lane.
//
// Prepended by the device: `params`, a [rows, dim], b [rows, dim], y [rows, dim].

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place < params.rows * params.dim) { y[place] = a[place] + b[place]; }
}
