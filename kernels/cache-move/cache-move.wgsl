// Copies the words of slot moves[row].x to slot moves[row].y, one word a lane.
//
// Prepended by the device: `params`, moves [rows] of vec2<u32>, (from, to), cache [slot_count, 2, kv_heads] heads, as words.

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let slot_length = 2u * params.kv_heads * head_length();
  if (place >= params.rows * slot_length) { return; }
  let move_here = moves[place / slot_length];
  let within = place % slot_length;
  cache[move_here.y * slot_length + within] = cache[move_here.x * slot_length + within];
}
