// y = (x - mean(x)) / sqrt(variance(x) + epsilon) · weight + bias: a subgroup per row, without barriers. Where the adapter makes
// smaller subgroups than WORKGROUP, all but the first of a workgroup are idle.
//
// Prepended by the device: `params`, x [rows, dim], weight [dim], bias [dim], y [rows, dim].

override WORKGROUP: u32;
override HAS_BIAS: bool;

fn store(row: u32, i: u32, mean: f32, scale: f32) {
  let place = row * params.dim + i;
  var value = (x[place] - mean) * scale * weight[i];
  if (HAS_BIAS) { value += bias[i]; }
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
  let base = row * params.dim;
  var sum = 0.0;
  for (var i = lane; i < params.dim; i += lanes) { sum += x[base + i]; }
  let mean = subgroupAdd(sum) / f32(params.dim);
  var squares = 0.0;
  for (var i = lane; i < params.dim; i += lanes) { squares += (x[base + i] - mean) * (x[base + i] - mean); }
  let scale = inverseSqrt(subgroupAdd(squares) / f32(params.dim) + params.epsilon);
  for (var i = lane; i < params.dim; i += lanes) { store(row, i, mean, scale); }
}
