// The workgroup memory of tiles.wgsl and the functions that fill it: entries, and 32 dimensions at a time of queries, keys or values
// (keys and values as chunk.f32.wgsl or chunk.f16.wgsl keeps them).

const LOWEST = -3.4e38;
/// Rows of a tile, keys of a block.
const SIDE = 32u;
/// Groups of four dimensions in a chunk, of four rows or keys in a side.
const EIGHT = 8u;

var<workgroup> queries: array<vec4<f32>, 256>;       // [rows][8] groups of dimensions
var<workgroup> chunk: array<Kept, 256>;              // [keys][8] groups of dimensions, of keys, then of values
var<workgroup> shares: array<f32, 1056>;            // [rows][33]: products, then shares, of 32 keys
var<workgroup> block_entries: array<vec4<u32>, SIDE>;
var<workgroup> factors: array<f32, SIDE>;            // of each row: by how much its sums shrink, in the end 1 / total
var<workgroup> seen: atomic<u32>;                    // not 0 if some row sees a key of the block

/// Begin and end of the union of the tile's ranges.
fn union_of(row: u32) -> vec2<u32> {
  var span = vec2<u32>(0xffffffffu, 0u);
  for (var r = row; r < min(row + SIDE, params.rows); r++) {
    let range = ranges[params.list * params.rows + r];
    if (range.x < range.y) { span = vec2<u32>(min(span.x, range.x), max(span.y, range.y)); }
  }
  return span;
}

/// A bit for each of the block's keys that a row sees.
fn keys_seen(range: vec4<u32>, begin: u32, is_source: bool) -> u32 {
  var keys = 0u;
  for (var k = max(begin, range.x); k < min(begin + SIDE, range.y); k++) {
    let entry = block_entries[k - begin];
    var is_seen = false;
    if (is_source) { is_seen = is_source_visible(range, entry); } else { is_seen = is_visible(range, entry); }
    keys |= u32(is_seen) << (k - begin);
  }
  return keys;
}

/// Loads a chunk of the tile's queries.
fn load_queries(lane: u32, c: u32, row: u32, head: u32) {
  let groups = params.head_dim / 4u;
  for (var i = lane; i < 256u; i += 64u) {
    let g = min(c * EIGHT + i % EIGHT, groups - 1u);
    let query_row = min(row + i / EIGHT, params.rows - 1u);
    queries[i] = q[(query_row * params.heads + head) * groups + g];
  }
}

/// Loads a chunk of the block's keys or values; what lies beyond the head is not used.
fn load_chunk(lane: u32, c: u32, kv_head: u32, is_value: bool, is_source: bool) {
  for (var i = lane; i < 256u; i += 64u) {
    let slot = block_entries[i / EIGHT].x;
    let head = select(key_begin(slot, kv_head), value_begin(slot, kv_head), is_value);
    chunk[i] = Kept(cached(head, min(c * EIGHT + i % EIGHT, params.head_dim / 4u - 1u), is_source));
  }
}
