/// Number i, or numbers 4i.. where four are read at a time, of the key or value that begins at `head` of the cache, or of
/// the source's.
fn cached(head: u32, i: u32, is_source: bool) -> Numbers {
  if (HAS_SOURCE && is_source) {
    return decoded(source_cache[codes_at(head, i)], source_cache[scale_at(head, i)], i);
  }
  return decoded(cache[codes_at(head, i)], cache[scale_at(head, i)], i);
}
