// Attention of many rows for GPUs with fast workgroup memory (flash attention): a workgroup of 8 x 8 lanes per 32 rows and head
// walks the union of the rows' keys in blocks of 32. Queries, keys and values pass through workgroup memory in chunks of 32
// dimensions. A lane holds the products of 4 rows x 4 keys, then the sums of 4 rows x 4 dimensions of each chunk. One lane a row turns
// products into shares relative to the row's largest score so far, and the sums are scaled down with it (online softmax; Dao et al.,
// arXiv 2205.14135). A block that no row sees is not read. head_dim is 128 at most.
//
// Prepended by the device: the buffers that attend.wgsl lists, q and z [rows, heads, head_dim / 4] of vec4<f32>.

/// Chunks of 32 dimensions in a head.
override CHUNKS: u32;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row = tile / params.heads * SIDE;
  if (row >= params.rows) { return; }
  let head = tile % params.heads;
  let kv_head = head / (params.heads / params.kv_heads);
  let groups = params.head_dim / 4u;
  let row4 = lane / EIGHT * 4u; // the lane's first row
  let eighth = lane % EIGHT;    // its four keys, or its group of dimensions in a chunk
  let bounds = union_of(row);

  var range = vec4<u32>(); // of row `lane`, as are its peak and total; the upper half of the lanes has no row
  if (lane < SIDE && row + lane < params.rows) { range = ranges[params.list * params.rows + row + lane]; }
  var peak = LOWEST;
  var total = 0.0;
  var sums: array<mat4x4<f32>, 4>; // of each chunk, [row][dimension]
  let sources = select(1u, 2u, HAS_SOURCE);
  for (var source = 0u; source < sources; source++) {
    let is_source = source == 1u;
    for (var begin = bounds.x; begin < bounds.y; begin += SIDE) {
      if (lane < SIDE) { block_entries[lane] = entries[min(begin + lane, bounds.y - 1u)]; }
      if (lane == 0u) { atomicStore(&seen, 0u); }
      workgroupBarrier();
      let keys = keys_seen(range, begin, is_source);
      if (keys != 0u) { atomicOr(&seen, 1u); }
      workgroupBarrier();
      let is_any_seen = atomicLoad(&seen) != 0u;

      var products = mat4x4<f32>(); // [row][key]
      for (var c = 0u; c < CHUNKS; c++) {
        if (is_any_seen) {
          load_queries(lane, c, row, head);
          load_chunk(lane, c, kv_head, false, is_source);
        }
        workgroupBarrier();
        for (var g = 0u; g < select(0u, min(EIGHT, groups - c * EIGHT), is_any_seen); g++) {
          let at = eighth * 4u * EIGHT + g;
          let keys4 = transpose(mat4x4<f32>(vec4<f32>(chunk[at]), vec4<f32>(chunk[at + EIGHT]),
            vec4<f32>(chunk[at + 2u * EIGHT]), vec4<f32>(chunk[at + 3u * EIGHT])));
          for (var r = 0u; r < 4u; r++) { products[r] += keys4 * queries[(row4 + r) * EIGHT + g]; }
        }
        workgroupBarrier();
      }
      for (var r = 0u; r < 4u; r++) {
        for (var k = 0u; k < 4u; k++) { shares[(row4 + r) * 33u + eighth * 4u + k] = products[r][k]; }
      }
      workgroupBarrier();
      if (lane < SIDE) {
        var new_peak = peak;
        for (var k = 0u; k < SIDE; k++) {
          if ((keys & (1u << k)) == 0u) { continue; }
          let score = score_of(shares[lane * 33u + k], block_entries[k], head, is_source);
          shares[lane * 33u + k] = score;
          new_peak = max(new_peak, score);
        }
        let shrink = exp(peak - new_peak);
        peak = new_peak;
        total *= shrink;
        for (var k = 0u; k < SIDE; k++) {
          let share = select(0.0, weight_of(shares[lane * 33u + k], peak), (keys & (1u << k)) != 0u);
          shares[lane * 33u + k] = share;
          total += share;
        }
        factors[lane] = shrink;
      }
      for (var c = 0u; c < CHUNKS; c++) {
        if (is_any_seen) { load_chunk(lane, c, kv_head, true, is_source); }
        workgroupBarrier();
        for (var r = 0u; r < 4u; r++) { sums[c][r] *= factors[row4 + r]; }
        for (var k = 0u; k < select(0u, SIDE, is_any_seen); k++) {
          let value = vec4<f32>(chunk[k * EIGHT + eighth]);
          for (var r = 0u; r < 4u; r++) { sums[c][r] += shares[(row4 + r) * 33u + k] * value; }
        }
        workgroupBarrier();
      }
    }
  }
  if (lane < SIDE) { factors[lane] = select(1.0 / total, 0.0, total == 0.0); }
  workgroupBarrier();
  for (var c = 0u; c < CHUNKS; c++) {
    let g = c * EIGHT + eighth;
    for (var r = 0u; r < min(4u, max(params.rows, row + row4) - row - row4); r++) {
      if (g < groups) { z[((row + row4 + r) * params.heads + head) * groups + g] = sums[c][r] * factors[row4 + r]; }
    }
  }
}
