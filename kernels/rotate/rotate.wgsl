// Norms and rotates one row's heads of q, k and v, one number a lane (rotated.wgsl).

struct Params {
  rows: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  rotary_dims: u32,
  interleaved: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;             // [rows, heads + 2 kv_heads, head_dim]
@group(0) @binding(1) var<storage, read> rotation: array<vec2<f32>>;  // [rows, rotary_dims / 2], (cos, sin)
@group(0) @binding(2) var<storage, read> q_norm: array<f32>;          // [head_dim]
@group(0) @binding(3) var<storage, read> k_norm: array<f32>;          // [head_dim]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;         // [rows, heads + 2 kv_heads, head_dim]
@group(0) @binding(5) var<uniform> params: Params;

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
