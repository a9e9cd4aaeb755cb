// Attention without barriers: a subgroup per row and head. It walks the row's keys in blocks of as many as it has lanes: each
// lane scores one key, then each lane adds the block's values up in four groups of four dimensions, carrying the sums over
// from block to block relative to the largest score so far (online softmax). A block that no lane sees is skipped.
// workgroup_id.z takes 16 dimensions a lane; heads that are larger are scored once for each. head_dim is a multiple of 4.
// Where the adapter makes smaller subgroups than WORKGROUP, all but the first of a workgroup are idle.

override WORKGROUP: u32;

const LOWEST = -3.4e38;

struct Params {
  rows: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  list: u32,
  slot_count: u32,
  entry_count: u32,
  scale: f32,
  softcap: f32,
  window: u32,
  keep_window: u32,
  sinks: u32,
  segmented: u32,
  keep_recent: u32,
  anchor_sees_anchors: u32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;             // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> cache: array<Cached>;            // [slots, 2, kv_heads] heads
@group(0) @binding(2) var<storage, read> ranges: array<vec4<u32>>;        // [lists, rows]: begin, end, position, mark
@group(0) @binding(3) var<storage, read> entries: array<vec4<u32>>;       // [entry_count]: slot, position, mark, bits of the bias
@group(0) @binding(4) var<storage, read> source_cache: array<Cached>;     // as cache
@group(0) @binding(5) var<storage, read> head_params: array<vec2<f32>>;   // [heads]: bias of the source, scale of biases
@group(0) @binding(6) var<storage, read_write> z: array<vec4<f32>>;       // [rows, heads, head_dim / 4]
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let row_head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row_head >= params.rows * params.heads || index >= lanes) { return; }
  let head = row_head % params.heads;
  let range = ranges[params.list * params.rows + row_head / params.heads];
  let kv_head = head / (params.heads / params.kv_heads);
  let groups = params.head_dim / 4u;
  let from_q = row_head * groups;

  for (var first = workgroup_id.z * 4u * lanes; first < groups; first += num_workgroups.z * 4u * lanes) {
    let g = first + lane;
    var peak = LOWEST;
    var total = 0.0;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    let sources = select(1u, 2u, HAS_SOURCE);
    for (var source = 0u; source < sources; source++) {
      let is_source = source == 1u;
      for (var begin = range.x; begin < range.y; begin += lanes) {
        let entry = entries[min(begin + lane, range.y - 1u)];
        var is_seen = begin + lane < range.y;
        if (is_source) { is_seen = is_seen && is_source_visible(range, entry); }
        else { is_seen = is_seen && is_visible(range, entry); }
        if (!subgroupAny(is_seen)) { continue; }

        let key = key_begin(entry.x, kv_head);
        var products = vec4<f32>();
        for (var i = 0u; i < groups; i++) { products += q[from_q + i] * cached(key, i, is_source); }
        let score = select(LOWEST, score_of(dot(products, vec4<f32>(1.0)), entry, head, is_source), is_seen);
        let new_peak = max(peak, subgroupMax(score));
        let weight = select(0.0, exp(score - new_peak), is_seen);
        let shrink = exp(peak - new_peak);
        peak = new_peak;
        total = total * shrink + weight;
        s0 *= shrink;
        s1 *= shrink;
        s2 *= shrink;
        s3 *= shrink;
        let value_here = value_begin(entry.x, kv_head);
        for (var i = 0u; i < min(lanes, range.y - begin); i++) {
          let w = subgroupShuffle(weight, i);
          let value = subgroupShuffle(value_here, i);
          if (g < groups) { s0 += w * cached(value, g, is_source); }
          if (g + lanes < groups) { s1 += w * cached(value, g + lanes, is_source); }
          if (g + lanes * 2u < groups) { s2 += w * cached(value, g + lanes * 2u, is_source); }
          if (g + lanes * 3u < groups) { s3 += w * cached(value, g + lanes * 3u, is_source); }
        }
      }
    }
    total = subgroupAdd(total);
    let scale = select(0.0, 1.0 / total, total > 0.0);
    if (g < groups) { z[from_q + g] = s0 * scale; }
    if (g + lanes < groups) { z[from_q + g + lanes] = s1 * scale; }
    if (g + lanes * 2u < groups) { z[from_q + g + lanes * 2u] = s2 * scale; }
    if (g + lanes * 3u < groups) { z[from_q + g + lanes * 3u] = s3 * scale; }
  }
}
