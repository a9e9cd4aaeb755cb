// Where a slot's heads begin in a cache [slots, 2, kv_heads] of heads: of each slot the keys, then the values.

fn key_begin(slot: u32, kv_head: u32) -> u32 {
  return (slot * 2u * params.kv_heads + kv_head) * head_length();
}

fn value_begin(slot: u32, kv_head: u32) -> u32 {
  return ((slot * 2u + 1u) * params.kv_heads + kv_head) * head_length();
}
