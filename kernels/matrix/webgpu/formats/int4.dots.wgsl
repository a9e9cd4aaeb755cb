// A group of 32 columns of a matrix quantized to int4, times 32 numbers of x rounded to int8: products of codes, and the group's
// minimum times the sum of x itself.

/// What a lane loads of a line's group: its scale and minimum, and 32 codes, eight a word.
struct Codes {
  scale: f32,
  minimum: f32,
  words: vec4<u32>,
}

fn codes_of(scales: u32, words: vec4<u32>) -> Codes {
  return Codes(half_to_float(scales & 0xffffu), half_to_float(scales >> 16u), words);
}

fn first_codes(begin: u32, group: u32) -> Codes {
  let at = codes_at(begin, group * 8u);
  return codes_of(first_element(scale_at(begin, group * 8u)),
    vec4<u32>(first_element(at), first_element(at + 1u), first_element(at + 2u), first_element(at + 3u)));
}

fn second_codes(begin: u32, group: u32) -> Codes {
  let at = codes_at(begin, group * 8u);
  return codes_of(second_element(scale_at(begin, group * 8u)),
    vec4<u32>(second_element(at), second_element(at + 1u), second_element(at + 2u), second_element(at + 3u)));
}

/// The lowest bytes of eight numbers of x as two words: those whose codes are the lower halves of a word's bytes, and the others.
fn packed8(a: vec4<i32>, b: vec4<i32>) -> vec2<u32> {
  return vec2<u32>(pack4xI8(vec4<i32>(a.xz, b.xz)), pack4xI8(vec4<i32>(a.yw, b.yw)));
}

/// Products of eight codes.
fn dot8(word: u32, lower: u32, upper: u32) -> i32 {
  return dot4I8Packed(word & 0x0f0f0f0fu, lower) + dot4I8Packed((word >> 4u) & 0x0f0f0f0fu, upper);
}

fn dot_group(w: Codes, inputs: Rounded) -> f32 {
  let total = dot8(w.words.x, inputs.low.x, inputs.low.y) + dot8(w.words.y, inputs.low.z, inputs.low.w)
    + dot8(w.words.z, inputs.high.x, inputs.high.y) + dot8(w.words.w, inputs.high.z, inputs.high.w);
  return f32(total) * (w.scale * inputs.step) + w.minimum * inputs.sum;
}
