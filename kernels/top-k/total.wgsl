// The sum over a row, for the top-k shaders; behind softmax/weight.wgsl.

/// e^(scale (value - largest)); 0 for -Infinity, NaN for NaN and Infinity.
fn scaled_weight(value: f32, largest: f32) -> f32 {
  let bits = bitcast<u32>(value);
  let is_number = (bits & 0x7f800000u) != 0x7f800000u;
  return select(weight_of(value, largest), exp((value - largest) * params.scale), is_number);
}

/// The sum; NaN where the largest is NaN, Infinity or -Infinity.
fn total_of(sum: f32, largest: f32) -> f32 {
  let bits = bitcast<u32>(largest);
  return select(sum, bitcast<f32>(bits | 0x7fc00000u), (bits & 0x7f800000u) == 0x7f800000u);
}
