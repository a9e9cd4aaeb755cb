// The k largest of a row in order: a workgroup per row, by radix selection. The bits of a number make a key that sorts as numbers do;
// the column extends it, a lower column counting as larger, so that no two keys are equal. The smallest key of the k largest is found
// digit by digit, eight bits at a time: first in the numbers, then, only if more columns share that number than are needed, in the
// columns. Each turn counts, for one digit, the columns that agree in all digits before it, and takes the digit in whose count the k-th
// lies. Then the k are gathered in any order, and each is moved to the place given by the number of keys above it.
//
// Prepended by the device: `params`, x [rows, columns], values [rows, k], column_of [rows, k], total [rows]; before them
// softmax/weight.wgsl.

const LANES = 256u;

var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> digit: u32;
// how many of those that agree so far are still wanted, and how many there are
var<workgroup> wanted: u32;
var<workgroup> agreeing: u32;
var<workgroup> gathered: atomic<u32>;
var<workgroup> keys: array<u32, LANES>;
var<workgroup> columns: array<u32, LANES>;
var<workgroup> sums: array<f32, LANES>;

// Ordered as the numbers are; -0 is 0.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(select(value, 0.0, value == 0.0));
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  let base = row * params.columns;
  var key = 0u;     // of the smallest that belongs to the k, as far as it is known
  var column = 0u;  // of the same, with its bits turned round
  if (lane == 0u) {
    wanted = params.k;
    agreeing = params.columns;
    atomicStore(&gathered, 0u);
  }
  for (var turn = 0u; turn < 8u; turn++) {
    atomicStore(&counts[lane], 0u);
    if (workgroupUniformLoad(&wanted) == workgroupUniformLoad(&agreeing)) { break; }
    let shift = 24u - 8u * (turn % 4u);
    let known = select(0xffffffffu << (shift + 8u), 0u, shift == 24u);
    for (var i = lane; i < params.columns; i += LANES) {
      let own = key_of(x[base + i]);
      if (turn < 4u) {
        if ((own & known) == key) { atomicAdd(&counts[(own >> shift) & 255u], 1u); }
      } else if (own == key && (~i & known) == column) {
        atomicAdd(&counts[(~i >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var above = 0u;
      var at = 255u;
      while (above + atomicLoad(&counts[at]) < wanted) {
        above += atomicLoad(&counts[at]);
        at--;
      }
      digit = at;
      wanted -= above;
      agreeing = atomicLoad(&counts[at]);
    }
    let found = workgroupUniformLoad(&digit) << shift;
    if (turn < 4u) { key |= found; } else { column |= found; }
  }
  for (var i = lane; i < params.columns; i += LANES) {
    let own = key_of(x[base + i]);
    if (own > key || (own == key && ~i >= column)) {
      let at = atomicAdd(&gathered, 1u);
      keys[at] = own;
      columns[at] = i;
    }
  }
  workgroupBarrier();
  var largest = 0u;
  if (lane < params.k) {
    var place = 0u;
    for (var i = 0u; i < params.k; i++) {
      if (keys[i] > keys[lane] || (keys[i] == keys[lane] && columns[i] < columns[lane])) { place++; }
    }
    values[row * params.k + place] = x[base + columns[lane]];
    column_of[row * params.k + place] = columns[lane];
  }
  for (var i = 1u; i < params.k; i++) { if (keys[i] > keys[largest]) { largest = i; } }
  let peak = x[base + columns[largest]];
  var sum = 0.0;
  for (var i = lane; i < params.columns; i += LANES) { sum += scaled_weight(x[base + i], peak); }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < LANES; i++) { sum += sums[i]; }
  total[row] = total_of(sum, peak);
}
