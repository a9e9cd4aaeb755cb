// Four neighboring weights of a matrix stored as f32.

alias Packed4 = vec4<u32>;

fn unpack4(packed: Packed4, _scale: Packed4, _k: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(packed);
}
