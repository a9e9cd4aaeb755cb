/// Bits of the scale of the slice's first or second 32 numbers: max / 127 rounded to bf16, 0 where it would be subnormal, or NaN where
/// a number is NaN or infinite. Magnitudes are compared by their bits: the largest are those of NaN, then Infinity.
fn scale_bits(group: u32) -> u32 {
  var largest = 0u;
  for (var i = 0u; i < 32u; i++) { largest = max(largest, bitcast<u32>(slice[group * 32u + i]) & 0x7fffffffu); }
  if (largest >= 0x7f800000u) { return 0x7fc00000u; }
  let bits = bitcast<u32>(bitcast<f32>(largest) / 127.0);
  if (bits < 0x800000u) { return 0u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
}

/// Writes numbers first.. of a key or value, those in `slice`, into the head that begins at `head`. All lanes call it.
fn store_slice(head: u32, first: u32, lane: u32) {
  let i = first + lane * 4u;
  if (lane == 16u) { cache[scale_at(head, first)] = (scale_bits(0u) >> 16u) | scale_bits(1u); }
  if (lane >= 16u || i >= params.head_dim) { return; }
  let scale = bitcast<f32>(scale_bits(lane / 8u));
  let inverse = select(0.0, 1.0 / scale, scale > 0.0);
  let at = lane * 4u;
  let four = vec4<f32>(slice[at], slice[at + 1u], slice[at + 2u], slice[at + 3u]) * inverse;
  let codes = bitcast<vec4<u32>>(vec4<i32>(clamp(round(four), vec4<f32>(-127.0), vec4<f32>(127.0)))) & vec4<u32>(0xffu);
  cache[codes_at(head, i)] = codes.x | (codes.y << 8u) | (codes.z << 16u) | (codes.w << 24u);
}
