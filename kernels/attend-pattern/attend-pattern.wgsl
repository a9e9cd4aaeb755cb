// The scores or the softmax of each row and head: a workgroup for each. A lane scores every 64th key and keeps the largest of its
// scores and the sum of exp relative to it. After one barrier it merges the results of all lanes and divides what it wrote.
// `pattern` is written as bits, because WGSL cannot write the -Infinity of a key that is not visible.
//
// Prepended by the device: `params`, and
//   q [rows, heads, head_dim]
//   cache [slots, 2, kv_heads] heads
//   ranges [lists, rows] of vec4<u32>: begin, end, position, mark
//   entries [entry_count] of vec4<u32>: slot, position, mark, bits of the bias
//   source_cache as cache
//   head_biases [heads] of vec2<f32>: bias of the source, scale of biases
//   pattern [rows, heads, columns + source_columns]

const LANES = 64u;
const LOWEST = -3.4e38;

var<workgroup> peaks: array<f32, LANES>;
var<workgroup> totals: array<f32, LANES>;

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
  let width = params.columns + params.source_columns;
  let line = row_head * width;

  var peak = LOWEST;
  var total = 0.0;
  for (var column = lane; column < width; column += LANES) {
    let is_source = column >= params.columns;
    let place = range.x + select(column, column - params.columns, is_source);
    let entry = entries[min(place, params.entry_count - 1u)];
    var bits = MINUS_INFINITY;
    if (place < range.y && select(is_visible(range, entry), is_source_visible(range, entry), is_source)) {
      let key = key_begin(entry.x, kv_head);
      var dot = 0.0;
      for (var i = 0u; i < params.head_dim; i++) { dot += q[from_q + i] * cached(key, i, is_source); }
      let score = score_of(dot, entry, head, is_source);
      let new_peak = max(peak, score);
      total = total * exp(peak - new_peak) + weight_of(score, new_peak);
      peak = new_peak;
      bits = bitcast<u32>(score);
    }
    pattern[line + column] = bits;
  }
  if (params.kind == 0u) { return; }

  peaks[lane] = peak;
  totals[lane] = total;
  workgroupBarrier();
  for (var i = 0u; i < LANES; i++) { peak = max(peak, peaks[i]); }
  total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += totals[i] * exp(peaks[i] - peak); }
  for (var column = lane; column < width; column += LANES) {
    let bits = pattern[line + column];
    pattern[line + column] = select(bitcast<u32>(weight_of(bitcast<f32>(bits), peak) / total), 0u, bits == MINUS_INFINITY);
  }
}
