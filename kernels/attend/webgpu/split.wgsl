// Attention of few rows over many keys, where one subgroup a head would leave most of a GPU idle (flash decoding). A row's keys are
// cut into parts, and `main` walks each part of each row and head in a subgroup of its own. It writes the part's largest score, sum of
// shares and sum of values to `scratch`; `merge` adds the parts up in order, so that the result does not depend on timing. A row with
// few keys has fewer parts; the workgroups of the others return at once.
//
// Prepended by the device: scratch [rows, heads, PARTS, 1 + head_dim / 4] of vec4<f32>: (peak, total), sums.

override WORKGROUP: u32;
/// Parts of a row at most, which `scratch` has room for.
override PARTS: u32;

/// Keys of a part: with fewer, merging costs more than it saves.
const PART_KEYS = 128u;

fn parts_of(range: vec4<u32>) -> u32 {
  return clamp((range.y - range.x + PART_KEYS - 1u) / PART_KEYS, 1u, PARTS);
}

/// Where a part's results begin.
fn place_of(row_head: u32, part: u32) -> u32 {
  return (row_head * PARTS + part) * (1u + params.head_dim / 4u);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let row_head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row_head >= params.rows * params.heads || index >= lanes) { return; }
  let range = ranges[params.list * params.rows + row_head / params.heads];
  let parts = parts_of(range);
  let part = workgroup_id.z;
  if (part >= parts) { return; }
  let keys = (range.y - range.x + parts - 1u) / parts;
  let begin = range.x + part * keys;
  let groups = params.head_dim / 4u;

  let own = vec4<u32>(begin, min(range.y, begin + keys), range.zw);
  let place = place_of(row_head, part);
  for (var first = 0u; first < groups; first += 4u * lanes) { // once, but for heads of more than 16 lanes
    let walked = walk(own, row_head * groups, row_head % params.heads, first + lane, lane, lanes);
    let total = subgroupAdd(walked.total);
    if (lane == 0u) { scratch[place] = vec4<f32>(walked.peak, total, 0.0, 0.0); }
    for (var i = 0u; i < 4u; i++) {
      let g = first + lane + i * lanes;
      if (g < groups) { scratch[place + 1u + g] = walked.sums[i]; }
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn merge(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row_head >= params.rows * params.heads) { return; }
  let parts = parts_of(ranges[params.list * params.rows + row_head / params.heads]);
  let groups = params.head_dim / 4u;
  var peak = LOWEST;
  for (var part = 0u; part < parts; part++) { peak = max(peak, scratch[place_of(row_head, part)].x); }
  for (var g = lane; g < groups; g += WORKGROUP) {
    var total = 0.0;
    var sums = vec4<f32>();
    for (var part = 0u; part < parts; part++) {
      let place = place_of(row_head, part);
      let share = exp(scratch[place].x - peak);
      total += share * scratch[place].y;
      sums += share * scratch[place + 1u + g];
    }
    z[row_head * groups + g] = sums * select(1.0 / total, 0.0, total == 0.0);
  }
}
