// 32 neighboring numbers of x, rounded to int8: x = step · q with step = max|x| / 127. Magnitudes are compared by their bits, so that the
// step is NaN or Infinity where a number is.

struct Rounded {
  low: vec4<u32>,
  high: vec4<u32>,
  step: f32,
  /// of the rounded numbers, so that a minimum that all weights share adds no error of its own
  sum: f32,
}

/// Whole numbers in the lowest bits: at 1.5 · 2^23 the last bit of an f32 is worth 1, so that the addition rounds.
fn whole(v: vec4<f32>) -> vec4<i32> {
  return bitcast<vec4<i32>>(v + 12582912.0);
}

/// Magnitudes as bits, which are ordered as the numbers are.
fn size(v: vec4<f32>) -> vec4<u32> {
  return bitcast<vec4<u32>>(v) & vec4<u32>(0x7fffffffu);
}

fn sum4(words: vec4<u32>) -> i32 {
  return dot4I8Packed(words.x, 0x01010101u) + dot4I8Packed(words.y, 0x01010101u)
    + dot4I8Packed(words.z, 0x01010101u) + dot4I8Packed(words.w, 0x01010101u);
}

/// The group of x that begins at element `at`.
fn rounded(at: u32) -> Rounded {
  let a = x[at];
  let b = x[at + 1u];
  let c = x[at + 2u];
  let d = x[at + 3u];
  let e = x[at + 4u];
  let f = x[at + 5u];
  let g = x[at + 6u];
  let h = x[at + 7u];
  let four = max(max(max(size(a), size(b)), max(size(c), size(d))), max(max(size(e), size(f)), max(size(g), size(h))));
  let largest = bitcast<f32>(max(max(four.x, four.y), max(four.z, four.w)));
  let inverse = select(127.0 / largest, 0.0, largest < 1e-30);
  let step = largest / 127.0;
  let low = vec4<u32>(packed8(whole(a * inverse), whole(b * inverse)), packed8(whole(c * inverse), whole(d * inverse)));
  let high = vec4<u32>(packed8(whole(e * inverse), whole(f * inverse)), packed8(whole(g * inverse), whole(h * inverse)));
  return Rounded(low, high, step, step * f32(sum4(low) + sum4(high)));
}
