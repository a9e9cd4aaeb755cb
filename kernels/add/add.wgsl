// y = a + b, one element a lane.

struct Params {
  rows: u32,
  dim: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;        // [rows, dim]
@group(0) @binding(1) var<storage, read> b: array<f32>;        // [rows, dim]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [rows, dim]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place < params.rows * params.dim) { y[place] = a[place] + b[place]; }
}
