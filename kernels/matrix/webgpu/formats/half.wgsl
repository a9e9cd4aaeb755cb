// Halves as f32, subnormal ones included on every adapter. It has no branches, which would cost too much for every weight.

fn half_to_float(half: u32) -> f32 {
  let magnitude = half & 0x7fffu;
  let sign = (half & 0x8000u) << 16u;
  let rebias = select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
  let normal = (magnitude << 13u) + rebias;
  let subnormal = bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8);
  return bitcast<f32>(select(normal, subnormal, magnitude < 0x400u) | sign);
}
