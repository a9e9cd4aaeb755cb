// cache[moves[row].to] = cache[moves[row].from], one number a lane.

struct Params {
  rows: u32,
  slot_length: u32,
  slot_count: u32,
}

@group(0) @binding(0) var<storage, read> moves: array<vec2<u32>>;  // [rows], (from, to)
@group(0) @binding(1) var<storage, read_write> cache: array<f32>;  // [slot_count, slot_length]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows * params.slot_length) { return; }
  let move_here = moves[place / params.slot_length];
  let within = place % params.slot_length;
  cache[move_here.y * params.slot_length + within] = cache[move_here.x * params.slot_length + within];
}
