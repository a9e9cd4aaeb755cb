// Attention in any shape, on any adapter: a workgroup per row and head. It walks the row's keys in blocks of 64. Each lane scores one
// key, then each lane adds up the block's values in four of the head's dimensions (64 apart). Sums are carried from block to block
// relative to the largest score so far (online softmax). A second walk reads the source's keys. workgroup_id.z takes 256 dimensions;
// larger heads are scored once for each 256.
//
// Prepended by the device: `params`, and
//   q [rows, heads, head_dim]
//   cache [slots, 2, kv_heads] heads
//   ranges [lists, rows] of vec4<u32>: begin, end, position, mark
//   entries [entry_count] of vec4<u32>: slot, position, mark, bits of the bias
//   source_cache as cache
//   head_biases [heads] of vec2<f32>: bias of the source, scale of biases
//   z [rows, heads, head_dim]

const LANES = 64u;
const LOWEST = -3.4e38;

var<workgroup> scores: array<f32, LANES>;
var<workgroup> shares: array<f32, LANES>;
var<workgroup> values: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row_head >= params.rows * params.heads) { return; }
  let head = row_head % params.heads;
  let range = ranges[params.list * params.rows + row_head / params.heads];
  let kv_head = head / (params.heads / params.kv_heads);
  let from_q = row_head * params.head_dim;
  let first_dim = workgroup_id.z * 256u + lane;

  var peak = LOWEST;
  var total = 0.0;
  var sums = vec4<f32>();
  let sources = select(1u, 2u, HAS_SOURCE);
  for (var source = 0u; source < sources; source++) {
    for (var begin = range.x; begin < range.y; begin += LANES) {
      let entry = entries[min(begin + lane, range.y - 1u)];
      var is_seen = begin + lane < range.y;
      if (source == 1u) { is_seen = is_seen && is_source_visible(range, entry); }
      else { is_seen = is_seen && is_visible(range, entry); }
      var score = LOWEST;
      if (is_seen) {
        let key = key_begin(entry.x, kv_head);
        var dot = 0.0;
        for (var i = 0u; i < params.head_dim; i++) {
          dot += q[from_q + i] * cached(key, i, source == 1u);
        }
        score = score_of(dot, entry, head, source == 1u);
      }
      scores[lane] = score;
      workgroupBarrier();
      var new_peak = peak;
      for (var i = 0u; i < LANES; i++) { new_peak = max(new_peak, scores[i]); }
      shares[lane] = select(0.0, weight_of(score, new_peak), is_seen);
      values[lane] = value_begin(entry.x, kv_head);
      workgroupBarrier();
      let shrink = exp(peak - new_peak);
      peak = new_peak;
      total *= shrink;
      sums *= shrink;
      for (var key = 0u; key < min(LANES, range.y - begin); key++) {
        let share = shares[key];
        if (share == 0.0) { continue; }
        total += share;
        for (var i = 0u; i < 4u; i++) {
          let dim = first_dim + i * LANES;
          if (dim < params.head_dim) { sums[i] += share * cached(values[key], dim, source == 1u); }
        }
      }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    let dim = first_dim + i * LANES;
    if (dim < params.head_dim) { z[from_q + dim] = select(sums[i] / total, 0.0, total == 0.0); }
  }
}
