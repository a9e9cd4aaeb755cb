// What the attention shaders that read four numbers at a time are given: head_dim is a multiple of 4.

struct Params {
  rows: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  list: u32,
  slot_count: u32,
  entry_count: u32,
  scale: f32,
  softcap: f32,
  window: u32,
  keep_window: u32,
  sinks: u32,
  segmented: u32,
  keep_recent: u32,
  anchor_sees_anchors: u32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;             // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> cache: array<Cached>;            // [slots, 2, kv_heads] heads
@group(0) @binding(2) var<storage, read> ranges: array<vec4<u32>>;        // [lists, rows]: begin, end, position, mark
@group(0) @binding(3) var<storage, read> entries: array<vec4<u32>>;       // [entry_count]: slot, position, mark, bits of the bias
@group(0) @binding(4) var<storage, read> source_cache: array<Cached>;     // as cache
@group(0) @binding(5) var<storage, read> head_params: array<vec2<f32>>;   // [heads]: bias of the source, scale of biases
@group(0) @binding(6) var<storage, read_write> z: array<vec4<f32>>;       // [rows, heads, head_dim / 4]
@group(0) @binding(7) var<uniform> params: Params;
