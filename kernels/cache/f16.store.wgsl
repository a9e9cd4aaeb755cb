const LARGEST_HALF = vec2<f32>(65504.0);

/// Writes numbers first.. of a key or value, those in `slice`, into the head that begins at `head`. All lanes call it.
fn store_slice(head: u32, first: u32, lane: u32) {
  let i = first + lane * 2u;
  if (lane >= 32u || i >= params.head_dim) { return; }
  let pair = vec2<f32>(slice[lane * 2u], slice[lane * 2u + 1u]);
  cache[codes_at(head, i)] = pack2x16float(clamp(pair, -LARGEST_HALF, LARGEST_HALF));
}
