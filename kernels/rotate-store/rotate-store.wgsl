// Norms, rotates and stores one row's heads of q, k and v: one element a lane. A lane that rotates reads its pair's other half
// itself, and with a norm adds up its whole head: head_dim reads of one address for all lanes of a head, and no barrier.

override HAS_ROTATION: bool;
override HAS_Q_NORM: bool;
override HAS_K_NORM: bool;

struct Params {
  rows: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  rotary_dims: u32,
  interleaved: u32,
  list: u32,
  slot_count: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;             // [rows, heads + 2 kv_heads, head_dim]
@group(0) @binding(1) var<storage, read> rotation: array<vec2<f32>>;  // [rows, rotary_dims / 2], (cos, sin)
@group(0) @binding(2) var<storage, read> slots: array<u32>;           // [lists, rows]
@group(0) @binding(3) var<storage, read> q_norm: array<f32>;          // [head_dim]
@group(0) @binding(4) var<storage, read> k_norm: array<f32>;          // [head_dim]
@group(0) @binding(5) var<storage, read_write> q: array<f32>;         // [rows, heads, head_dim]
@group(0) @binding(6) var<storage, read_write> cache: array<f32>;     // [slot_count, 2, kv_heads, head_dim]
@group(0) @binding(7) var<uniform> params: Params;

/// Element i of the head that begins at `head_begin`, normed: scale is 1 / root mean square, or 1 where there is no norm.
fn element(head_begin: u32, i: u32, scale: f32, is_query: bool) -> f32 {
  var value = qkv[head_begin + i] * scale;
  if (HAS_Q_NORM && is_query) { value *= q_norm[i]; }
  if (HAS_K_NORM && !is_query) { value *= k_norm[i]; }
  return value;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let all_heads = params.heads + 2u * params.kv_heads;
  let i = place % params.head_dim;
  let head = place / params.head_dim % all_heads;
  let row = place / params.head_dim / all_heads;
  if (row >= params.rows) { return; }

  let head_begin = place - i;
  let is_query = head < params.heads;
  var value = qkv[place];
  if (head < params.heads + params.kv_heads) {
    var scale = 1.0;
    if ((HAS_Q_NORM && is_query) || (HAS_K_NORM && !is_query)) {
      var squares = 0.0;
      for (var j = 0u; j < params.head_dim; j++) { squares += qkv[head_begin + j] * qkv[head_begin + j]; }
      scale = inverseSqrt(squares / f32(params.head_dim) + params.epsilon);
    }
    value = element(head_begin, i, scale, is_query);
    if (HAS_ROTATION && i < params.rotary_dims) {
      let half = params.rotary_dims / 2u;
      let is_second = select(i >= half, i % 2u == 1u, params.interleaved == 1u);
      let angle = select(i % half, i / 2u, params.interleaved == 1u);
      let step_to_partner = select(half, 1u, params.interleaved == 1u);
      let partner = element(head_begin, select(i + step_to_partner, i - step_to_partner, is_second), scale, is_query);
      let turn = rotation[row * half + angle];
      value = value * turn.x + select(-partner, partner, is_second) * turn.y;
    }
  }
  if (is_query) {
    q[(row * params.heads + head) * params.head_dim + i] = value;
  } else {
    let slot = slots[params.list * params.rows + row];
    cache[(slot * 2u * params.kv_heads + head - params.heads) * params.head_dim + i] = value;
  }
}
