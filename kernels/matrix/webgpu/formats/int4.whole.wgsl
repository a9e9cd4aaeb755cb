// A group of int4 for row.whole.wgsl. Codes are masked within their word and not shifted to the lowest bits: code i is too large by a
// factor of 16^i, so the inputs are divided by 16^i, which is exact. The group's minimum is multiplied by the sum of the inputs.

alias Packed4 = vec4<u32>;
/// Groups of a block, behind their scales.
const BLOCK = 4u;
/// Elements of a group's codes.
const CODES = 1u;

alias Codes = vec4<u32>;

/// Factors of the inputs. The last code of a word is shifted nevertheless, because it would look negative.
const EVEN = vec4<f32>(1.0, 1.0 / 16.0, 1.0 / 256.0, 1.0 / 4096.0);
const ODD = vec4<f32>(1.0 / 65536.0, 1.0 / 1048576.0, 1.0 / 16777216.0, 1.0);

fn row_stride(columns: u32) -> u32 {
  let groups = (columns + 31u) / 32u;
  return groups * CODES + (groups + BLOCK - 1u) / BLOCK;
}

fn factors_of(lane: u32) -> vec4<f32> { return select(EVEN, ODD, lane % 2u == 1u); }

fn first_codes(at: u32) -> Codes { return first_element(at); }

fn second_codes(at: u32) -> Codes { return second_element(at); }

/// The products of eight codes and inputs.
fn dot8(word: u32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  let v = vec4<u32>(word) & vec4<u32>(0xfu, 0xf0u, 0xf00u, 0xf000u);
  let w = vec4<u32>(word & 0xf0000u, word & 0xf00000u, word & 0xf000000u, word >> 28u);
  return dot(vec4<f32>(bitcast<vec4<i32>>(v)), a) + dot(vec4<f32>(bitcast<vec4<i32>>(w)), b);
}

fn dot_group(scales: vec4<u32>, group: u32, codes: Codes, inputs: Inputs) -> f32 {
  let low = dot8(codes.x, inputs.low[0], inputs.low[1]) + dot8(codes.y, inputs.low[2], inputs.low[3]);
  let high = dot8(codes.z, inputs.high[0], inputs.high[1]) + dot8(codes.w, inputs.high[2], inputs.high[3]);
  let own = scales[group % BLOCK];
  return (low + high) * half_to_float(own & 0xffffu) + half_to_float(own >> 16u) * inputs.sum;
}
