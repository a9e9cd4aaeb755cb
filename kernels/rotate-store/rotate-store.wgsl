// Norms, rotates and stores one row's heads of q, k and v: a workgroup takes 64 numbers of a head, one a lane. A lane that
// rotates reads its pair's other half itself, and with a norm adds up its whole head: head_dim reads of one address for all
// lanes. Numbers of k and v meet in `slice`, from where the cache's format stores them.

const LANES = 64u;

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
@group(0) @binding(6) var<storage, read_write> cache: array<Cached>;  // [slot_count, 2, kv_heads] heads
@group(0) @binding(7) var<uniform> params: Params;

var<workgroup> slice: array<f32, LANES>;

/// Element i of the head that begins at `head_begin`, normed: scale is 1 / root mean square, or 1 where there is no norm.
fn element(head_begin: u32, i: u32, scale: f32, is_query: bool) -> f32 {
  var value = qkv[head_begin + i] * scale;
  if (HAS_Q_NORM && is_query) { value *= q_norm[i]; }
  if (HAS_K_NORM && !is_query) { value *= k_norm[i]; }
  return value;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let slices = (params.head_dim + LANES - 1u) / LANES;
  let all_heads = params.heads + 2u * params.kv_heads;
  let first = place % slices * LANES;
  let head = place / slices % all_heads;
  let row = place / slices / all_heads;
  if (row >= params.rows) { return; }

  let head_begin = (row * all_heads + head) * params.head_dim;
  let is_query = head < params.heads;
  let is_inside = first + lane < params.head_dim;
  let i = select(0u, first + lane, is_inside);
  var value = qkv[head_begin + i];
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
    if (is_inside) { q[(row * params.heads + head) * params.head_dim + i] = value; }
    return;
  }
  slice[lane] = select(0.0, value, is_inside);
  workgroupBarrier();
  // the heads of a slot's values follow those of its keys
  store_slice(key_begin(slots[params.list * params.rows + row], head - params.heads), first, lane);
}
