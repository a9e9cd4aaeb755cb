// y[row] = log softmax(logits[row])[targets[row]]: a workgroup per row. Each lane keeps the largest of its columns and the sum of exp
// relative to it; after one barrier the first lane merges them.
//
// Prepended by the device: `params`, logits [rows, columns], targets [rows], y [rows]; before them softmax/weight.wgsl.

const LOWEST = -3.4e38;
const LANES = 256u;

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
  for (var i = lane; i < params.columns; i += LANES) { peak = max(peak, logits[base + i]); }
  var total = 0.0;
  for (var i = lane; i < params.columns; i += LANES) { total += weight_of(logits[base + i], peak); }
  peaks[lane] = peak;
  totals[lane] = total;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < LANES; i++) { peak = max(peak, peaks[i]); }
  total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += totals[i] * exp(peaks[i] - peak); }
  let broken = bitcast<f32>(bitcast<u32>(total) | 0x7fc00000u);
  y[row] = select(logits[base + targets[row]] - peak - log(total), broken, is_nan(total) || total == 0.0);
}
