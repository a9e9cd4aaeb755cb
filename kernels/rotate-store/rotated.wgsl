// A number of a head of q, k or v, normed and rotated, prepended to the shaders that need it. A lane that rotates reads the other half
// of its pair itself. With a norm it adds up its whole head: head_dim reads, each of one address for all lanes.

override HAS_ROTATION: bool;
override HAS_Q_NORM: bool;
override HAS_K_NORM: bool;

/// Element i of the head that begins at `head_begin`, normed: scale is 1 / root mean square, or 1 where there is no norm.
fn element(head_begin: u32, i: u32, scale: f32, is_query: bool) -> f32 {
  var value = qkv[head_begin + i] * scale;
  if (HAS_Q_NORM && is_query) { value *= q_norm[i]; }
  if (HAS_K_NORM && !is_query) { value *= k_norm[i]; }
  return value;
}

/// Element i of a row's head, counted through q, k and v: of q and k normed and rotated, of v as it is.
fn rotated(row: u32, head: u32, i: u32) -> f32 {
  let head_begin = (row * (params.heads + 2u * params.kv_heads) + head) * params.head_dim;
  if (head >= params.heads + params.kv_heads) { return qkv[head_begin + i]; }
  let is_query = head < params.heads;
  var scale = 1.0;
  if ((HAS_Q_NORM && is_query) || (HAS_K_NORM && !is_query)) {
    var squares = 0.0;
    for (var j = 0u; j < params.head_dim; j++) { squares += qkv[head_begin + j] * qkv[head_begin + j]; }
    scale = inverseSqrt(squares / f32(params.head_dim) + params.epsilon);
  }
  let value = element(head_begin, i, scale, is_query);
  if (!HAS_ROTATION || i >= params.rotary_dims) { return value; }
  let half = params.rotary_dims / 2u;
  let is_second = select(i >= half, i % 2u == 1u, params.interleaved == 1u);
  let angle = select(i % half, i / 2u, params.interleaved == 1u);
  let step_to_partner = select(half, 1u, params.interleaved == 1u);
  let partner = element(head_begin, select(i + step_to_partner, i - step_to_partner, is_second), scale, is_query);
  let turn = rotation[row * half + angle];
  return value * turn.x + select(-partner, partner, is_second) * turn.y;
}
