// Reads keys and values from a cache of f32: a number at a time, for any head_dim.

alias Cached = f32;
alias Numbers = f32;

/// Elements of the cache that one head's key or value takes.
fn head_length() -> u32 {
  return params.head_dim;
}

/// Where number i of the key or value that begins at `head` lies.
fn codes_at(head: u32, i: u32) -> u32 {
  return head + i;
}

/// No scales: the number itself, which is loaded once.
fn scale_at(head: u32, i: u32) -> u32 {
  return head + i;
}

fn decoded(codes: Cached, _scale: Cached, _i: u32) -> Numbers {
  return codes;
}
