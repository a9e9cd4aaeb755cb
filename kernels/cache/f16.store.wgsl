const LARGEST_HALF = vec2<f32>(65504.0);

/// Writes numbers first.. of a key or value, those in `slice`, into the head that begins at `head`. All lanes call it.
fn store_slice(head: u32, first: u32, lane: u32) {
  let i = first + lane * 2u;
  if (lane >= 32u || i >= params.head_dim) { return; }
  let pair = vec2<f32>(slice[lane * 2u], slice[lane * 2u + 1u]);
  let is_none = (bitcast<vec2<u32>>(pair) & vec2<u32>(0x7f800000u)) == vec2<u32>(0x7f800000u);
  let none = select(vec2<u32>(), vec2<u32>(0x7e00u, 0x7e000000u), is_none); // NaN, for NaN and infinities
  cache[codes_at(head, i)] = pack2x16float(clamp(select(pair, vec2<f32>(), is_none), -LARGEST_HALF, LARGEST_HALF)) | none.x | none.y;
}
