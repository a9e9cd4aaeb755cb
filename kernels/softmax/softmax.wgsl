// y = exp(x - max x) / sum: a workgroup per row. Each lane keeps the largest of its columns and the sum of exp relative to it; after
// one barrier every lane merges the results of all lanes. LOWEST stands for -Infinity, which WGSL cannot write.
//
// Prepended by the device: `params`, x [rows, columns], y [rows, columns]; before them weight.wgsl.

const LOWEST = -3.4e38;
const LANES = 64u;

var<workgroup> peaks: array<f32, LANES>;
var<workgroup> totals: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  let base = row * params.columns;
  var peak = LOWEST;
  for (var i = lane; i < params.columns; i += LANES) { peak = max(peak, x[base + i]); }
  var total = 0.0;
  for (var i = lane; i < params.columns; i += LANES) { total += weight_of(x[base + i], peak); }
  peaks[lane] = peak;
  totals[lane] = total;
  workgroupBarrier();
  for (var i = 0u; i < LANES; i++) { peak = max(peak, peaks[i]); }
  total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += totals[i] * exp(peaks[i] - peak); }
  let scale = select(1.0 / total, 0.0, total == 0.0);
  for (var i = lane; i < params.columns; i += LANES) {
    y[base + i] = select(weight_of(x[base + i], peak) * scale, 0.0, bitcast<u32>(x[base + i]) == MINUS_INFINITY);
  }
}
