// Norms, rotates and stores one row's heads of q, k and v: a workgroup takes 64 numbers of a head, one a lane (rotated.wgsl). Numbers
// of k and v are collected in `slice`, which the cache's format stores.
//
// Prepended by the device: `params`, and
//   qkv [rows, heads + 2 kv_heads, head_dim]
//   rotation [rows, rotary_dims / 2] of vec2<f32>, (cos, sin)
//   slots [lists, rows]
//   q_norm [head_dim]
//   k_norm [head_dim]
//   q [rows, heads, head_dim]
//   cache [slot_count, 2, kv_heads] heads

const LANES = 64u;

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
