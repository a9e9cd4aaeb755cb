// z = pattern · v, one element of z a lane. A lane walks all keys of its row's range; neighboring lanes read neighboring dimensions
// of each value, and the same number of the pattern.
//
// Prepended by the device: `params`, and
//   pattern [rows, heads, columns + source_columns]
//   cache [slots, 2, kv_heads] heads
//   ranges [lists, rows] of vec4<u32>: begin, end, position, mark
//   entries [entry_count] of vec4<u32>: slot, position, mark, bits of the bias
//   source_cache as cache
//   z [rows, heads, head_dim]

override HAS_SOURCE: bool;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let row_head = place / params.head_dim;
  if (row_head >= params.rows * params.heads) { return; }
  let range = ranges[params.list * params.rows + row_head / params.heads];
  let kv_head = row_head % params.heads / (params.heads / params.kv_heads);
  let i = place % params.head_dim;
  let line = row_head * (params.columns + params.source_columns);
  var sum = 0.0;
  for (var entry = range.x; entry < range.y; entry++) {
    let value = value_begin(entries[entry].x, kv_head);
    sum += pattern[line + entry - range.x] * cached(value, i, false);
    if (HAS_SOURCE) { sum += pattern[line + params.columns + entry - range.x] * cached(value, i, true); }
  }
  z[place] = sum;
}
