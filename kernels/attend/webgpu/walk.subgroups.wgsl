// A subgroup's walk over a row's keys, in blocks of one key a lane. Each lane scores one key, then each lane adds up the block's
// values in four groups of four dimensions, `lanes` groups apart. Sums are carried from block to block relative to the largest score
// so far (online softmax). A block that the row does not see is skipped; a second walk reads the source's keys.

const LOWEST = -3.4e38;

/// What a walk leaves in each lane. `sums` are of groups g, g + lanes, g + 2 lanes and g + 3 lanes.
struct Walked {
  peak: f32,
  total: f32, // of the keys that this lane scored, relative to the peak
  sums: mat4x4<f32>,
}

/// Walks entries range.x..range.y for a row and head whose query begins at `from_q`; all lanes of the subgroup call it.
fn walk(range: vec4<u32>, from_q: u32, head: u32, g: u32, lane: u32, lanes: u32) -> Walked {
  let kv_head = head / (params.heads / params.kv_heads);
  let groups = params.head_dim / 4u;
  var peak = LOWEST;
  var total = 0.0;
  var sums = mat4x4<f32>();
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
      let share = select(0.0, weight_of(score, new_peak), is_seen);
      let shrink = exp(peak - new_peak);
      peak = new_peak;
      total = total * shrink + share;
      sums *= shrink;
      let value_here = value_begin(entry.x, kv_head);
      for (var i = 0u; i < min(lanes, range.y - begin); i++) {
        let w = subgroupShuffle(share, i);
        let value = subgroupShuffle(value_here, i);
        if (g < groups) { sums[0] += w * cached(value, g, is_source); }
        if (g + lanes < groups) { sums[1] += w * cached(value, g + lanes, is_source); }
        if (g + lanes * 2u < groups) { sums[2] += w * cached(value, g + lanes * 2u, is_source); }
        if (g + lanes * 3u < groups) { sums[3] += w * cached(value, g + lanes * 3u, is_source); }
      }
    }
  }
  return Walked(peak, total, sums);
}
