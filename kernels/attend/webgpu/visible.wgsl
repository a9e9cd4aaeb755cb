// Which key a row sees, and how its score is made: prepended to the attention shaders, behind softmax/weight.wgsl.
// kernels/attend/visible.ts is the definition.
// A range is (begin, end, position, mark), an entry (slot, position, mark, bits of its bias).

override HAS_SOURCE: bool;
override HAS_HEAD_BIASES: bool;

/// True if the row sees the entry's key in its own layer's cache.
fn is_visible(range: vec4<u32>, entry: vec4<u32>) -> bool {
  let i = range.z;
  let j = entry.y;
  if (j > i || (params.window > 0u && i - j >= params.window)) { return false; }
  if (params.keep_window == 0u && params.segmented == 0u) { return true; }
  if (j < params.sinks || (params.keep_window > 0u && i - j < params.keep_window)) { return true; }
  if (params.segmented == 0u) { return false; }
  if ((range.w >> 1u) <= (entry.z >> 1u) + params.keep_recent) { return true; }
  return (entry.z & 1u) == 1u && (params.anchor_sees_anchors == 1u || (range.w & 1u) == 0u);
}

/// True if the row sees the entry's key in the source layer's cache as well.
fn is_source_visible(range: vec4<u32>, entry: vec4<u32>) -> bool {
  return HAS_SOURCE && (entry.z & 1u) == 1u && entry.y <= range.z;
}

/// The score of a key: scaled, softcapped, and with the biases that the entry, the head and the source give it.
fn score_of(dot: f32, entry: vec4<u32>, head: u32, is_source: bool) -> f32 {
  var score = dot * params.scale;
  if (params.softcap > 0.0 && !is_nan(score)) { score = params.softcap * tanh(clamp(score / params.softcap, -10.0, 10.0)); }
  var bias = bitcast<f32>(entry.w);
  if (HAS_HEAD_BIASES) {
    bias *= head_biases[head].y;
    if (is_source) { bias += head_biases[head].x; }
  }
  return score + bias;
}
