// y[row][column] = the sum over heads of pattern[row][head][column]: one sum a lane.
//
// Prepended by the device: `params`, pattern [rows, heads, stride], y [rows, columns].

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows * params.columns) { return; }
  let first = place / params.columns * params.heads * params.stride + place % params.columns;
  var sum = 0.0;
  for (var head = 0u; head < params.heads; head++) { sum += pattern[first + head * params.stride]; }
  y[place] = sum;
}
