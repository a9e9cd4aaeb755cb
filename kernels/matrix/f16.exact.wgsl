// Four neighbouring weights of a matrix stored as f16, subnormal ones included on every adapter.

alias Packed4 = vec2<u32>;

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

fn unpack4(packed: Packed4) -> vec4<f32> {
  return vec4<f32>(
    half_to_float(packed.x & 0xffffu),
    half_to_float(packed.x >> 16u),
    half_to_float(packed.y & 0xffffu),
    half_to_float(packed.y >> 16u),
  );
}
