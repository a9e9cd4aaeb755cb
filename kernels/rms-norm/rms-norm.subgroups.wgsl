// y = residual + x / sqrt(mean(x²) + epsilon) · (weight_offset + weight): a subgroup per row, without barriers. Where the
// adapter makes smaller subgroups than WORKGROUP, all but the first of a workgroup are idle.
//
// Prepended by the device: `params`, x [rows, dim], weight [dim], residual [rows, dim], y [rows, dim].

override WORKGROUP: u32;
override HAS_RESIDUAL: bool;

fn store(row: u32, i: u32, scale: f32) {
  let place = row * params.dim + i;
  var value = x[place] * scale * (params.weight_offset + weight[i]);
  if (HAS_RESIDUAL) { value += residual[place]; }
  y[place] = value;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows || index >= lanes) { return; }
  var sum = 0.0;
  for (var i = lane; i < params.dim; i += lanes) {
    let value = x[row * params.dim + i];
    sum += value * value;
  }
  let scale = inverseSqrt(subgroupAdd(sum) / f32(params.dim) + params.epsilon);
  for (var i = lane; i < params.dim; i += lanes) { store(row, i, scale); }
}
