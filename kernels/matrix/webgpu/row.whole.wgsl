// One row times quantized weights, for adapters that compute on the CPU, where every lane loads its numbers one by one. A lane takes 4
// whole lines, four words at a time, and scales a group of 32 columns at once. All lanes need the same x, so each of STEP lanes (4 or 8)
// loads a part and broadcasts it. Each turn prefetches lines of the next workgroup in order, because the processor does not predict
// them. formats/int4.whole.wgsl and int8.whole.wgsl say what a group is. inputs is a multiple of 32.

override WORKGROUP: u32;
override STEP: u32;

/// Elements that come from memory together.
const CACHE_LINE = 4u;

/// 32 inputs, multiplied as the format wants them, and the sum of the inputs themselves.
struct Inputs {
  low: array<vec4<f32>, 4>,
  high: array<vec4<f32>, 4>,
  sum: f32,
}

/// What lanes 0..3 hold.
fn low_lanes(v: vec4<f32>) -> array<vec4<f32>, 4> {
  return array<vec4<f32>, 4>(
    subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u), subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
}

/// What lanes 4..7 hold.
fn high_lanes(v: vec4<f32>) -> array<vec4<f32>, 4> {
  return array<vec4<f32>, 4>(
    subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u), subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
}

fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }

/// The inputs of a group: a lane brings one four of them, or two where STEP is 4.
fn broadcast_inputs(group: u32, lane: u32) -> Inputs {
  let own = group * 8u + lane % STEP;
  let factors = factors_of(lane);
  let first = x[own];
  var second = vec4<f32>();
  if (STEP == 4u) { second = x[own + 4u]; }
  let part = sum4(first + second);
  var sums = vec4<f32>(
    subgroupBroadcast(part, 0u), subgroupBroadcast(part, 1u), subgroupBroadcast(part, 2u), subgroupBroadcast(part, 3u));
  if (STEP == 4u) { return Inputs(low_lanes(first * factors), low_lanes(second * factors), sum4(sums)); }
  sums += vec4<f32>(
    subgroupBroadcast(part, 4u), subgroupBroadcast(part, 5u), subgroupBroadcast(part, 6u), subgroupBroadcast(part, 7u));
  return Inputs(low_lanes(first * factors), high_lanes(first * factors), sum4(sums));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let output = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * WORKGROUP * QUAD + index;
  var at = vec4<u32>(
    line(0u, output, WORKGROUP), line(1u, output, WORKGROUP), line(2u, output, WORKGROUP), line(3u, output, WORKGROUP));
  let next = output - index + WORKGROUP * QUAD;
  let next_first = line(0u, next, WORKGROUP) + lane * CACHE_LINE;
  let next_second = line(2u, next, WORKGROUP) + lane * CACHE_LINE;
  var loaded = 0u;
  var sums = vec4<f32>();
  let groups = params.inputs / 32u;
  for (var begin = 0u; begin < groups; begin += BLOCK) {
    let s0 = first_element(at.x);
    let s1 = first_element(at.y);
    let s2 = second_element(at.z);
    let s3 = second_element(at.w);
    at += 1u;
    for (var group = begin; group < min(groups, begin + BLOCK); group++) {
      let ahead = group * STEP * CACHE_LINE;
      loaded |= first_element(next_first + ahead).x | second_element(next_second + ahead).x;
      let inputs = broadcast_inputs(group, lane);
      sums += vec4<f32>(
        dot_group(s0, group, first_codes(at.x), inputs), dot_group(s1, group, first_codes(at.y), inputs),
        dot_group(s2, group, second_codes(at.z), inputs), dot_group(s3, group, second_codes(at.w), inputs));
      at += CODES;
    }
  }
  if (loaded == 0xffffffffu && params.inputs == 0u) { return; } // never true; keeps the compiler from removing the prefetch
  finish_row(0u, output, WORKGROUP, sums);
}
