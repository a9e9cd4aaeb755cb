// y = exp(x - max x) / sum: a subgroup per row, without barriers. LOWEST stands for -Infinity, which WGSL cannot write. Where the
// adapter makes smaller subgroups than WORKGROUP, all but the first of a workgroup are idle.
//
// Prepended by the device: `params`, x [rows, columns], y [rows, columns]; before them weight.wgsl.

override WORKGROUP: u32;

const LOWEST = -3.4e38;

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
  let base = row * params.columns;
  var peak = LOWEST;
  for (var i = lane; i < params.columns; i += lanes) { peak = max(peak, x[base + i]); }
  peak = subgroupMax(peak);
  var total = 0.0;
  for (var i = lane; i < params.columns; i += lanes) { total += weight_of(x[base + i], peak); }
  total = subgroupAdd(total);
  let scale = select(1.0 / total, 0.0, total == 0.0);
  for (var i = lane; i < params.columns; i += lanes) {
    y[base + i] = select(weight_of(x[base + i], peak) * scale, 0.0, bitcast<u32>(x[base + i]) == MINUS_INFINITY);
  }
}
