// Reads keys and values from a cache of f16: four numbers at a time, for head_dim a multiple of 4. An adapter may read numbers below
// 2^-14 as zeros.

alias Cached = vec2<u32>;
alias Numbers = vec4<f32>;

/// Elements of the cache that one head's key or value takes.
fn head_length() -> u32 {
  return params.head_dim / 4u;
}

/// Where numbers 4i.. of the key or value that begins at `head` lie.
fn codes_at(head: u32, i: u32) -> u32 {
  return head + i;
}

/// No scales: the numbers themselves, which are loaded once.
fn scale_at(head: u32, i: u32) -> u32 {
  return head + i;
}

fn decoded(codes: Cached, _scale: Cached, _i: u32) -> Numbers {
  return vec4<f32>(unpack2x16float(codes.x), unpack2x16float(codes.y));
}
