// best[row] = the first column with the largest x: a workgroup per row. Each lane finds the best of its columns; after one barrier
// the first lane finds the best of all lanes.
//
// Prepended by the device: `params`, x [rows, columns], best [rows].

const LOWEST = -3.4e38;
const LANES = 256u;

var<workgroup> peaks: array<f32, LANES>;
var<workgroup> indices: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  var peak = LOWEST;
  var index = params.columns;
  for (var i = lane; i < params.columns; i += LANES) {
    let value = x[row * params.columns + i];
    if (value > peak) {
      peak = value;
      index = i;
    }
  }
  peaks[lane] = peak;
  indices[lane] = index;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < LANES; i++) {
    if (peaks[i] > peak || (peaks[i] == peak && indices[i] < index)) {
      peak = peaks[i];
      index = indices[i];
    }
  }
  best[row] = select(0u, index, index < params.columns);
}
