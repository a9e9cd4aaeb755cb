// Norms, rotates and stores one row's heads of q, k and v: a workgroup takes 64 numbers of a head, one a lane (rotated.wgsl).
// Numbers of k and v meet in `slice`, from where the cache's format stores them.

const LANES = 64u;

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

  let is_query = head < params.heads;
  let is_inside = first + lane < params.head_dim;
  let i = select(0u, first + lane, is_inside);
  let value = rotated(row, head, i);
  if (is_query) {
    if (is_inside) { q[(row * params.heads + head) * params.head_dim + i] = value; }
    return;
  }
  slice[lane] = select(0.0, value, is_inside);
  workgroupBarrier();
  // the heads of a slot's values follow those of its keys
  store_slice(key_begin(slots[params.list * params.rows + row], head - params.heads), first, lane);
}
