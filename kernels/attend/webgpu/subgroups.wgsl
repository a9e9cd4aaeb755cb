// Attention of few rows: a subgroup per row and head walks all of the row's keys (walk.subgroups.wgsl). workgroup_id.z takes 16
// dimensions a lane; larger heads are scored once for each slice. WORKGROUP is at least a subgroup; lanes beyond it return.
//
// Prepended by the device: the buffers that attend.wgsl lists, q and z [rows, heads, head_dim / 4] of vec4<f32>.

override WORKGROUP: u32;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let row_head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row_head >= params.rows * params.heads || index >= lanes) { return; }
  let range = ranges[params.list * params.rows + row_head / params.heads];
  let groups = params.head_dim / 4u;
  let from_q = row_head * groups;

  for (var first = workgroup_id.z * 4u * lanes; first < groups; first += num_workgroups.z * 4u * lanes) {
    let walked = walk(range, from_q, row_head % params.heads, first + lane, lane, lanes);
    let total = subgroupAdd(walked.total);
    let sums = walked.sums * select(1.0 / total, 0.0, total == 0.0);
    for (var i = 0u; i < 4u; i++) {
      let g = first + lane + i * lanes;
      if (g < groups) { z[from_q + g] = sums[i]; }
    }
  }
}
