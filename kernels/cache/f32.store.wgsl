/// Writes numbers first.. of a key or value, those in `slice`, into the head that begins at `head`. All lanes call it.
fn store_slice(head: u32, first: u32, lane: u32) {
  let i = first + lane;
  if (i < params.head_dim) { cache[codes_at(head, i)] = slice[lane]; }
}
