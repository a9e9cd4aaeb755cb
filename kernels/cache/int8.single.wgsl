// Reads keys and values from a cache of int8: a number at a time, for any head_dim. The codes of a head, four a word, are followed by
// the scales of each 32 numbers as bf16, two a word.

alias Cached = u32;
alias Numbers = f32;

/// Elements of the cache that one head's key or value takes.
fn head_length() -> u32 {
  return (params.head_dim + 3u) / 4u + (params.head_dim + 63u) / 64u;
}

/// Where the code of number i of the key or value that begins at `head` lies.
fn codes_at(head: u32, i: u32) -> u32 {
  return head + i / 4u;
}

/// Where its scale lies.
fn scale_at(head: u32, i: u32) -> u32 {
  return head + (params.head_dim + 3u) / 4u + i / 64u;
}

fn decoded(codes: Cached, scales: Cached, i: u32) -> Numbers {
  let scale = bitcast<f32>(select(scales << 16u, scales & 0xffff0000u, (i & 32u) != 0u));
  return f32(i32(codes << (24u - i % 4u * 8u)) >> 24u) * scale;
}
