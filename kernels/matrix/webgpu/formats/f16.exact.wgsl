// Four neighboring weights of a matrix stored as f16, subnormal ones included on every adapter.

alias Packed4 = vec2<u32>;

fn unpack4(packed: Packed4, _scale: Packed4, _k: u32) -> vec4<f32> {
  return vec4<f32>(
    half_to_float(packed.x & 0xffffu),
    half_to_float(packed.x >> 16u),
    half_to_float(packed.y & 0xffffu),
    half_to_float(packed.y >> 16u),
  );
}
