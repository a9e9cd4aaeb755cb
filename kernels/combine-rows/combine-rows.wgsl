// y = l + Σ f_k (l - l_k) over a range of rows, l and l_k their log-softmaxes: a number of y a lane. NaN and the infinities are found by
// their bits, and written as bits: a compiler may assume that there are none.
//
// Prepended by the device: `params`, x [source_rows, columns], sums [source_rows, 2] (largest, log-sum-exp), ranges [rows, 3] (begin, end,
// rule), factors [source_rows], y [rows, columns] as bits.

const NONE = 0u;
const PROBABILITY = 2u;
const CONFIDENCE = 3u;
const MINUS_INFINITY = 0xff800000u;
const BROKEN = 0x7fc00000u; // NaN

fn is_number(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (place >= params.rows * params.columns) { return; }
  let row = place / params.columns;
  let column = place % params.columns;
  let begin = ranges[row * 3u];
  let end = ranges[row * 3u + 1u];
  let rule = ranges[row * 3u + 2u];
  let logit = x[begin * params.columns + column];
  let is_excluded = bitcast<u32>(logit) == MINUS_INFINITY;
  if (rule == NONE) {
    y[place] = bitcast<u32>(logit);
    return;
  }
  let largest = sums[begin * 2u];
  let whole = sums[begin * 2u + 1u];
  let scales = rule == PROBABILITY || rule == CONFIDENCE;
  let has_share = !scales || is_number(largest);
  var is_broken = !is_number(whole) || !(is_number(logit) || is_excluded);
  var is_lowest = is_excluded;
  let plain = select(logit - whole, 0.0, is_lowest || is_broken);
  var share = 1.0;
  if (scales && has_share && !is_broken) {
    share = exp(select(largest - whole, select(logit - largest, 0.0, is_excluded), rule == PROBABILITY));
  }
  var sum = plain;
  for (var k = begin + 1u; k < end; k++) {
    let factor = factors[k];
    if (is_number(factor) && factor == 0.0) { continue; }
    let other = x[k * params.columns + column];
    let other_whole = sums[k * 2u + 1u];
    let is_other_excluded = bitcast<u32>(other) == MINUS_INFINITY;
    is_broken = is_broken || !has_share || !is_number(factor) || !is_number(other_whole) || !(is_number(other) || is_other_excluded);
    if (is_broken) { break; }
    if (is_other_excluded) { is_lowest = is_lowest || factor < 0.0; } else { sum += factor * share * (plain - (other - other_whole)); }
  }
  y[place] = select(select(bitcast<u32>(sum), MINUS_INFINITY, is_lowest), BROKEN, is_broken);
}
