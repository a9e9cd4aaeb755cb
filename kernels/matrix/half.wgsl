// Halves as f32, subnormal ones included on every adapter.

fn half_to_float(half: u32) -> f32 {
  let magnitude = half & 0x7fffu;
  let sign = (half & 0x8000u) << 16u;
  if (magnitude < 0x400u) {
    let value = f32(magnitude) * 5.9604644775390625e-8;
    return select(value, -value, sign != 0u);
  }
  let exponent = select((magnitude >> 10u) + 112u, 255u, magnitude >= 0x7c00u);
  return bitcast<f32>(sign | (exponent << 23u) | ((magnitude & 0x3ffu) << 13u));
}
