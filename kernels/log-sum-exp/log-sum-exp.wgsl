// y[row] = (max x, log Σ exp x): a workgroup per row. Each lane keeps the largest of its columns and the sum of exp relative to it
// (without `wants_sum` how many are numbers); after one barrier the first lane merges them.
//
// Prepended by the device: `params`, x [rows, columns], y [rows, 2]; before them softmax/weight.wgsl.

const LOWEST = -3.4e38;
const LANES = 256u;

var<workgroup> peaks: array<f32, LANES>;
var<workgroup> totals: array<f32, LANES>;

// 1 for a number, 0 for -Infinity, NaN for NaN and Infinity.
fn sign_of(value: f32) -> f32 {
  return select(weight_of(value, 0.0), 1.0, (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u);
}

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
  for (var i = lane; i < params.columns; i += LANES) {
    total += select(sign_of(x[base + i]), weight_of(x[base + i], peak), params.wants_sum != 0u);
  }
  peaks[lane] = peak;
  totals[lane] = total;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < LANES; i++) { peak = max(peak, peaks[i]); }
  total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += totals[i] * select(1.0, exp(peaks[i] - peak), params.wants_sum != 0u); }
  let is_broken = is_nan(total) || total == 0.0;
  let broken = bitcast<f32>(bitcast<u32>(total) | 0x7fc00000u);
  y[row * 2u] = select(peak, broken, is_broken);
  y[row * 2u + 1u] = select(peak + select(0.0, log(total), params.wants_sum != 0u), broken, is_broken);
}
