// Reads keys and values from a cache of f32: four numbers at a time, for head_dim a multiple of 4.

alias Cached = vec4<f32>;
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
  return codes;
}
