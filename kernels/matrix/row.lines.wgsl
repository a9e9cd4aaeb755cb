// One row against int4, for adapters that compute on the CPU and load number by number what their lanes ask for: a lane takes
// 4 whole lines, group by group of 32 columns, so that a scale is loaded once for 32 weights and the minimum is multiplied by
// the inputs' sum. All lanes need the same x: each of STEP lanes (4 or 8) loads a part and they hand it round, divided by 16^i
// where a code stands i codes up in its word, so that codes are masked and not shifted. The lines of the next workgroup are
// touched in their order, for the processor to foresee them. inputs is a multiple of 32.

override WORKGROUP: u32;
override STEP: u32;

/// Words that come from memory together.
const CACHE_LINE = 16u;

/// By what inputs are multiplied: powers of two, exact. The last code of a word is shifted after all, lest it look negative.
const EVEN = vec4<f32>(1.0, 0x1p-4, 0x1p-8, 0x1p-12);
const ODD = vec4<f32>(0x1p-16, 0x1p-20, 0x1p-24, 1.0);

/// 32 inputs, multiplied by EVEN and ODD by turns, and the sum of the inputs themselves.
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
fn handed_round(group: u32, lane: u32) -> Inputs {
  let own = group * 8u + lane % STEP;
  let factors = select(EVEN, ODD, lane % 2u == 1u);
  let first = x[own];
  if (STEP == 8u) {
    let sums = sum4(first);
    let low = vec4<f32>(
      subgroupBroadcast(sums, 0u), subgroupBroadcast(sums, 1u), subgroupBroadcast(sums, 2u), subgroupBroadcast(sums, 3u));
    let high = vec4<f32>(
      subgroupBroadcast(sums, 4u), subgroupBroadcast(sums, 5u), subgroupBroadcast(sums, 6u), subgroupBroadcast(sums, 7u));
    return Inputs(low_lanes(first * factors), high_lanes(first * factors), sum4(low + high));
  }
  let second = x[own + 4u];
  let sums = sum4(first + second);
  let all = vec4<f32>(
    subgroupBroadcast(sums, 0u), subgroupBroadcast(sums, 1u), subgroupBroadcast(sums, 2u), subgroupBroadcast(sums, 3u));
  return Inputs(low_lanes(first * factors), low_lanes(second * factors), sum4(all));
}

/// The products of eight codes and inputs.
fn dot8(word: u32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  let v = vec4<u32>(word) & vec4<u32>(0xfu, 0xf0u, 0xf00u, 0xf000u);
  let w = vec4<u32>(word & 0xf0000u, word & 0xf00000u, word & 0xf000000u, word >> 28u);
  return dot(vec4<f32>(bitcast<vec4<i32>>(v)), a) + dot(vec4<f32>(bitcast<vec4<i32>>(w)), b);
}

fn dot_group(scales: u32, words: vec4<u32>, inputs: Inputs) -> f32 {
  let total = dot8(words.x, inputs.low[0], inputs.low[1]) + dot8(words.y, inputs.low[2], inputs.low[3])
    + dot8(words.z, inputs.high[0], inputs.high[1]) + dot8(words.w, inputs.high[2], inputs.high[3]);
  return total * half_to_float(scales & 0xffffu) + half_to_float(scales >> 16u) * inputs.sum;
}

fn first_dot(at: u32, inputs: Inputs) -> f32 {
  return dot_group(first_element(at), vec4<u32>(first_element(at + 1u), first_element(at + 2u),
    first_element(at + 3u), first_element(at + 4u)), inputs);
}

fn second_dot(at: u32, inputs: Inputs) -> f32 {
  return dot_group(second_element(at), vec4<u32>(second_element(at + 1u), second_element(at + 2u),
    second_element(at + 3u), second_element(at + 4u)), inputs);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let output = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * WORKGROUP * QUAD + index;
  let w0 = line(0u, output, WORKGROUP);
  let w1 = line(1u, output, WORKGROUP);
  let w2 = line(2u, output, WORKGROUP);
  let w3 = line(3u, output, WORKGROUP);
  let next = output - index + WORKGROUP * QUAD;
  let next_first = line(0u, next, WORKGROUP) + lane * CACHE_LINE;
  let next_second = line(2u, next, WORKGROUP) + lane * CACHE_LINE;
  var touched = 0u;
  var sums = vec4<f32>();
  for (var group = 0u; group < params.inputs / 32u; group++) {
    let ahead = group * STEP * CACHE_LINE;
    touched |= first_element(next_first + ahead) | second_element(next_second + ahead);
    let inputs = handed_round(group, lane);
    let at = group * 5u;
    sums += vec4<f32>(
      first_dot(w0 + at, inputs), first_dot(w1 + at, inputs), second_dot(w2 + at, inputs), second_dot(w3 + at, inputs));
  }
  if (touched == 0xffffffffu && params.inputs == 0u) { return; } // never: but now the touching is not left out
  finish_row(0u, output, WORKGROUP, sums);
}
