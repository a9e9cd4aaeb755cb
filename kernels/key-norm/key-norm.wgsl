// y[row] = the mean over key/value heads of |k| of the key in each row's slot: one row a lane.
//
// Prepended by the device: `params`, cache [slot_count, 2, kv_heads] heads, slots [lists, rows], y [rows].

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (row >= params.rows) { return; }
  let slot = slots[params.list * params.rows + row];
  var total = 0.0;
  for (var head = 0u; head < params.kv_heads; head++) {
    let key = key_begin(slot, head);
    var squares = 0.0;
    for (var i = 0u; i < params.head_dim; i++) {
      let value = decoded(cache[codes_at(key, i)], cache[scale_at(key, i)], i);
      squares += value * value;
    }
    total += sqrt(squares);
  }
  y[row] = total / f32(params.kv_heads);
}
