// z = pattern · v: one element of z a lane, which walks all keys of its row's range; neighboring lanes read neighboring
// dimensions of each value, and the same weight.

override HAS_SOURCE: bool;

struct Params {
  rows: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  list: u32,
  slot_count: u32,
  entry_count: u32,
  columns: u32,
  source_columns: u32,
}

@group(0) @binding(0) var<storage, read> pattern: array<f32>;        // [rows, heads, columns + source_columns]
@group(0) @binding(1) var<storage, read> cache: array<Cached>;       // [slots, 2, kv_heads] heads
@group(0) @binding(2) var<storage, read> ranges: array<vec4<u32>>;   // [lists, rows]: begin, end, position, mark
@group(0) @binding(3) var<storage, read> entries: array<vec4<u32>>;  // [entry_count]: slot, position, mark, bits of the bias
@group(0) @binding(4) var<storage, read> source_cache: array<Cached>;  // as cache
@group(0) @binding(5) var<storage, read_write> z: array<f32>;        // [rows, heads, head_dim]
@group(0) @binding(6) var<uniform> params: Params;

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
