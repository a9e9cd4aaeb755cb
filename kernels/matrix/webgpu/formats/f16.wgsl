// Four neighboring weights of a matrix stored as f16. An adapter may read weights below 2^-14 as zeros.

alias Packed4 = vec2<u32>;

fn unpack4(packed: Packed4, _scale: Packed4, _k: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
