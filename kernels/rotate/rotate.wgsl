// Norms and rotates one row's heads of q, k and v, one number a lane (rotated.wgsl).
//
// Prepended by the device: `params`, and
//   qkv [rows, heads + 2 kv_heads, head_dim]
//   rotation [rows, rotary_dims / 2] of vec2<f32>, (cos, sin)
//   q_norm [head_dim]
//   k_norm [head_dim]
//   y [rows, heads + 2 kv_heads, head_dim]

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let all_heads = params.heads + 2u * params.kv_heads;
  let row = place / params.head_dim / all_heads;
  if (row >= params.rows) { return; }
  y[place] = rotated(row, place / params.head_dim % all_heads, place % params.head_dim);
}
