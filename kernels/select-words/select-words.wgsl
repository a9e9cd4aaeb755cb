// y[i] = x[indices[i]], a word a lane.
//
// Prepended by the device: `params`, x [source_rows], indices [rows], y [rows].

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows) { return; }
  y[place] = x[indices[place]];
}
