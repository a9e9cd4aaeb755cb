// A group of int8 for row.whole.wgsl. Codes are shifted to the top of a word, for their sign, and not back: they are too large by a
// factor of 2^24, so the inputs are divided by 2^24, which is exact.

alias Packed4 = vec4<u32>;
/// Groups of a block, behind their scales.
const BLOCK = 8u;
/// Elements of a group's codes.
const CODES = 2u;

struct Codes {
  low: vec4<u32>,
  high: vec4<u32>,
}

fn row_stride(columns: u32) -> u32 {
  let groups = (columns + 31u) / 32u;
  return groups * CODES + (groups + BLOCK - 1u) / BLOCK;
}

fn factors_of(_lane: u32) -> vec4<f32> { return vec4<f32>(1.0 / 16777216.0); }

fn first_codes(at: u32) -> Codes { return Codes(first_element(at), first_element(at + 1u)); }

fn second_codes(at: u32) -> Codes { return Codes(second_element(at), second_element(at + 1u)); }

/// The products of four codes and inputs.
fn dot4(word: u32, a: vec4<f32>) -> f32 {
  let tops = vec4<u32>(word << 24u, (word << 16u) & 0xff000000u, (word << 8u) & 0xff000000u, word & 0xff000000u);
  return dot(vec4<f32>(bitcast<vec4<i32>>(tops)), a);
}

fn dot_group(scales: vec4<u32>, group: u32, codes: Codes, inputs: Inputs) -> f32 {
  let a = codes.low;
  let b = codes.high;
  let low = dot4(a.x, inputs.low[0]) + dot4(a.y, inputs.low[1]) + dot4(a.z, inputs.low[2]) + dot4(a.w, inputs.low[3]);
  let high = dot4(b.x, inputs.high[0]) + dot4(b.y, inputs.high[1]) + dot4(b.z, inputs.high[2]) + dot4(b.w, inputs.high[3]);
  let pair = scales[group % BLOCK / 2u];
  return (low + high) * half_to_float((pair >> (group % 2u * 16u)) & 0xffffu);
}
