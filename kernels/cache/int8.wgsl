// Reads keys and values from a cache of int8: four numbers at a time, for head_dim a multiple of 4. The codes of a head are followed
// by the scales of each 32 numbers as bf16, two a word.

alias Cached = u32;
alias Numbers = vec4<f32>;

/// Elements of the cache that one head's key or value takes.
fn head_length() -> u32 {
  return params.head_dim / 4u + (params.head_dim + 63u) / 64u;
}

/// Where the codes of numbers 4i.. of the key or value that begins at `head` lie.
fn codes_at(head: u32, i: u32) -> u32 {
  return head + i;
}

/// Where their scale lies.
fn scale_at(head: u32, i: u32) -> u32 {
  return head + params.head_dim / 4u + i / 16u;
}

fn decoded(codes: Cached, scales: Cached, i: u32) -> Numbers {
  let scale = bitcast<f32>(select(scales << 16u, scales & 0xffff0000u, (i & 8u) != 0u));
  let quads = vec4<i32>(vec4<u32>(codes << 24u, codes << 16u, codes << 8u, codes)) >> vec4<u32>(24u);
  return vec4<f32>(quads) * scale;
}
