// Four neighboring weights of a matrix stored as bf16: the upper halves of f32 numbers.

alias Packed4 = vec2<u32>;

fn unpack4(packed: Packed4, _scale: Packed4, _k: u32) -> vec4<f32> {
  let bits = vec4<u32>(packed.x << 16u, packed.x & 0xffff0000u, packed.y << 16u, packed.y & 0xffff0000u);
  return bitcast<vec4<f32>>(bits);
}
