// Attention of many rows: a subgroup per four neighboring rows and head, so that a key or value is read once for four rows. It walks
// the union of the rows' keys in blocks of one key a lane. Each lane scores one key for the four rows, then each lane adds up the
// block's values in four groups of four dimensions. Sums are carried from block to block relative to each row's largest score so far
// (online softmax). A block that no row sees is skipped. The components of a vector are the four rows; rows beyond the last see
// nothing. workgroup_id.z, head_dim and WORKGROUP are as in subgroups.wgsl.
//
// Prepended by the device: the buffers that attend.wgsl lists, q and z [rows, heads, head_dim / 4] of vec4<f32>.

override WORKGROUP: u32;

const LOWEST = -3.4e38;

/// True for the rows that see the entry's key.
fn seen_by(all: array<vec4<u32>, 4>, place: u32, entry: vec4<u32>, is_source: bool) -> vec4<bool> {
  var seen = vec4<bool>();
  for (var r = 0u; r < 4u; r++) {
    let range = all[r];
    if (place < range.x || place >= range.y) { continue; }
    if (is_source) { seen[r] = is_source_visible(range, entry); } else { seen[r] = is_visible(range, entry); }
  }
  return seen;
}

/// Writes group g of the four rows that exist, [dimension, row].
fn store(row: u32, head: u32, g: u32, sums: mat4x4<f32>, scale: vec4<f32>) {
  let groups = params.head_dim / 4u;
  if (g >= groups) { return; }
  for (var r = 0u; r < min(4u, params.rows - row); r++) {
    z[((row + r) * params.heads + head) * groups + g] = sums[r] * scale[r];
  }
}

/// The weight of each row's score.
fn weights_of(scores: vec4<f32>, peak: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(weight_of(scores.x, peak.x), weight_of(scores.y, peak.y), weight_of(scores.z, peak.z), weight_of(scores.w, peak.w));
}

/// What one value adds to the four rows: column r is value · shares[r].
fn added_by(value: vec4<f32>, shares: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(value * shares.x, value * shares.y, value * shares.z, value * shares.w);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let tile = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row = tile / params.heads * 4u;
  if (row >= params.rows || index >= lanes) { return; }
  let head = tile % params.heads;
  let kv_head = head / (params.heads / params.kv_heads);
  let groups = params.head_dim / 4u;
  let last = params.rows - 1u;
  let q0 = (row * params.heads + head) * groups;
  let q1 = (min(row + 1u, last) * params.heads + head) * groups;
  let q2 = (min(row + 2u, last) * params.heads + head) * groups;
  let q3 = (min(row + 3u, last) * params.heads + head) * groups;
  var all: array<vec4<u32>, 4>;
  var union_begin = 0xffffffffu;
  var union_end = 0u;
  for (var r = 0u; r < min(4u, params.rows - row); r++) {
    all[r] = ranges[params.list * params.rows + row + r];
    if (all[r].x >= all[r].y) { continue; }
    union_begin = min(union_begin, all[r].x);
    union_end = max(union_end, all[r].y);
  }

  for (var first = workgroup_id.z * 4u * lanes; first < groups; first += num_workgroups.z * 4u * lanes) {
    let g = first + lane;
    var peak = vec4<f32>(LOWEST);
    var total = vec4<f32>();
    var s0 = mat4x4<f32>();
    var s1 = mat4x4<f32>();
    var s2 = mat4x4<f32>();
    var s3 = mat4x4<f32>();
    let sources = select(1u, 2u, HAS_SOURCE);
    for (var source = 0u; source < sources; source++) {
      let is_source = source == 1u;
      for (var begin = union_begin; begin < union_end; begin += lanes) {
        let entry = entries[min(begin + lane, union_end - 1u)];
        let seen = seen_by(all, begin + lane, entry, is_source);
        if (!subgroupAny(any(seen))) { continue; }

        let key = key_begin(entry.x, kv_head);
        var dots = vec4<f32>();
        for (var i = 0u; i < groups; i++) {
          dots += cached(key, i, is_source) * mat4x4<f32>(q[q0 + i], q[q1 + i], q[q2 + i], q[q3 + i]);
        }
        var scores = vec4<f32>(LOWEST);
        for (var r = 0u; r < 4u; r++) {
          if (seen[r]) { scores[r] = score_of(dots[r], entry, head, is_source); }
        }
        let new_peak = max(peak, subgroupMax(scores));
        let shares = select(vec4<f32>(), weights_of(scores, new_peak), seen);
        let shrink = exp(peak - new_peak);
        peak = new_peak;
        total = total * shrink + shares;
        s0 = mat4x4<f32>(s0[0] * shrink.x, s0[1] * shrink.y, s0[2] * shrink.z, s0[3] * shrink.w);
        s1 = mat4x4<f32>(s1[0] * shrink.x, s1[1] * shrink.y, s1[2] * shrink.z, s1[3] * shrink.w);
        s2 = mat4x4<f32>(s2[0] * shrink.x, s2[1] * shrink.y, s2[2] * shrink.z, s2[3] * shrink.w);
        s3 = mat4x4<f32>(s3[0] * shrink.x, s3[1] * shrink.y, s3[2] * shrink.z, s3[3] * shrink.w);
        let value_here = value_begin(entry.x, kv_head);
        for (var i = 0u; i < min(lanes, union_end - begin); i++) {
          let w = subgroupShuffle(shares, i);
          let value = subgroupShuffle(value_here, i);
          if (g < groups) { s0 += added_by(cached(value, g, is_source), w); }
          if (g + lanes < groups) { s1 += added_by(cached(value, g + lanes, is_source), w); }
          if (g + lanes * 2u < groups) { s2 += added_by(cached(value, g + lanes * 2u, is_source), w); }
          if (g + lanes * 3u < groups) { s3 += added_by(cached(value, g + lanes * 3u, is_source), w); }
        }
      }
    }
    total = subgroupAdd(total);
    let scale = select(1.0 / total, vec4<f32>(), total == vec4<f32>());
    store(row, head, g, s0, scale);
    store(row, head, g + lanes, s1, scale);
    store(row, head, g + lanes * 2u, s2, scale);
    store(row, head, g + lanes * 3u, s3, scale);
  }
}
