// Where the heads of a slot begin in a cache [slots, 2, kv_heads] of heads: the keys of a slot, then its values.

fn key_begin(slot: u32, kv_head: u32) -> u32 {
  return (slot * 2u * params.kv_heads + kv_head) * head_length();
}

fn value_begin(slot: u32, kv_head: u32) -> u32 {
  return ((slot * 2u + 1u) * params.kv_heads + kv_head) * head_length();
}
