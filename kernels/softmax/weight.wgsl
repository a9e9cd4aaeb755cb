// e^(score - peak), prepended to shaders that sum it up. NaN and Infinity are found by their bits: a compiler may assume that comparisons
// never see NaN, and exp and max of some adapters turn NaN into a number.

const MINUS_INFINITY = 0xff800000u; // its bits

fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

/// The weight of a score: 0 for -Infinity; NaN for NaN and Infinity, so that sums with it are NaN.
fn weight_of(score: f32, peak: f32) -> f32 {
  let bits = bitcast<u32>(score);
  if ((bits & 0x7f800000u) != 0x7f800000u) { return exp(score - peak); }
  return select(bitcast<f32>(bits | 0x7fc00000u), 0.0, bits == MINUS_INFINITY);
}
