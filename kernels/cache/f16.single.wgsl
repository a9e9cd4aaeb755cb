// Reads keys and values from a cache of f16: a number at a time, for any head_dim. A word holds two.

alias Cached = u32;
alias Numbers = f32;

/// Elements of the cache that one head's key or value takes.
fn head_length() -> u32 {
  return (params.head_dim + 1u) / 2u;
}

/// Where number i of the key or value that begins at `head` lies.
fn codes_at(head: u32, i: u32) -> u32 {
  return head + i / 2u;
}

/// No scales: the numbers themselves, which are loaded once.
fn scale_at(head: u32, i: u32) -> u32 {
  return head + i / 2u;
}

fn decoded(codes: Cached, _scale: Cached, i: u32) -> Numbers {
  return unpack2x16float(codes >> (i % 2u * 16u)).x;
}
