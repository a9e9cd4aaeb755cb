// best[row] = the first column with the largest x: a workgroup per row. Each lane finds the best of its columns; after one barrier
// the first lane finds the best of all lanes. Numbers are compared by their bits, because a compiler may take comparisons with NaN for
// what it likes.
//
// Prepended by the device: `params`, x [rows, columns] as bits, best [rows].

const LANES = 256u;
/// The key of NaN and Infinity.
const BROKEN = 0xffffffffu;

/// Ordered as the numbers are; 0 for -Infinity.
fn key_of(bits: u32) -> u32 {
  let key = select(bits | 0x80000000u, ~bits, bits > 0x80000000u); // -0 is 0
  let is_number = (bits & 0x7f800000u) != 0x7f800000u;
  return select(select(BROKEN, 0u, bits == 0xff800000u), key, is_number);
}

var<workgroup> peaks: array<u32, LANES>;
var<workgroup> indices: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  var peak = 0u;
  var index = params.columns;
  for (var i = lane; i < params.columns; i += LANES) {
    let key = key_of(x[row * params.columns + i]);
    if (key > peak) {
      peak = key;
      index = i;
    }
  }
  peaks[lane] = peak;
  indices[lane] = index;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < LANES; i++) {
    if (peaks[i] > peak || (peaks[i] == peak && indices[i] < index)) {
      peak = peaks[i];
      index = indices[i];
    }
  }
  best[row] = select(index, params.columns, peak == BROKEN);
}
