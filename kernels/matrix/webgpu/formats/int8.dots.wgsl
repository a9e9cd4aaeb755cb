// A group of 32 columns of a matrix quantized to int8, times 32 numbers of x rounded to int8.

/// What a lane loads of a line's group: its scale, and 32 codes, four a word.
struct Codes {
  scale: f32,
  low: vec4<u32>,
  high: vec4<u32>,
}

fn codes_of(scales: u32, group: u32, low: vec4<u32>, high: vec4<u32>) -> Codes {
  return Codes(half_to_float((scales >> ((group & 1u) * 16u)) & 0xffffu), low, high);
}

fn first_codes(begin: u32, group: u32) -> Codes {
  let i = codes_at(begin, group * 8u);
  return codes_of(first_element(scale_at(begin, group * 8u)), group,
    vec4<u32>(first_element(i), first_element(i + 1u), first_element(i + 2u), first_element(i + 3u)),
    vec4<u32>(first_element(i + 4u), first_element(i + 5u), first_element(i + 6u), first_element(i + 7u)));
}

fn second_codes(begin: u32, group: u32) -> Codes {
  let i = codes_at(begin, group * 8u);
  return codes_of(second_element(scale_at(begin, group * 8u)), group,
    vec4<u32>(second_element(i), second_element(i + 1u), second_element(i + 2u), second_element(i + 3u)),
    vec4<u32>(second_element(i + 4u), second_element(i + 5u), second_element(i + 6u), second_element(i + 7u)));
}

/// The lowest bytes of eight numbers of x as two words, in the order of the codes.
fn packed8(a: vec4<i32>, b: vec4<i32>) -> vec2<u32> {
  return vec2<u32>(pack4xI8(a), pack4xI8(b));
}

fn dot_group(w: Codes, inputs: Rounded) -> f32 {
  let total = dot4I8Packed(w.low.x, inputs.low.x) + dot4I8Packed(w.low.y, inputs.low.y)
    + dot4I8Packed(w.low.z, inputs.low.z) + dot4I8Packed(w.low.w, inputs.low.w)
    + dot4I8Packed(w.high.x, inputs.high.x) + dot4I8Packed(w.high.y, inputs.high.y)
    + dot4I8Packed(w.high.z, inputs.high.z) + dot4I8Packed(w.high.w, inputs.high.w);
  return f32(total) * (w.scale * inputs.step);
}
