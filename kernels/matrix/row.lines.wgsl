// One row against int4, for adapters that gather number by number what their lanes load: a lane takes 4 whole lines, group
// by group of 32 columns, so that a scale is loaded once for 32 weights and the minimum is multiplied by the inputs' sum. All
// lanes need the same x: each of STEP lanes (4 or 8) loads a part and they hand it round. inputs is a multiple of 32.

override WORKGROUP: u32;
override STEP: u32;

/// 32 inputs, and their sum.
struct Inputs {
  low: array<vec4<f32>, 4>,
  high: array<vec4<f32>, 4>,
  sum: f32,
}

/// What lanes 0..3 and, where STEP is 8, 4..7 loaded; otherwise the second half is what 0..3 loaded in `second`.
fn handed_round(first: vec4<f32>, second: vec4<f32>) -> Inputs {
  let low = array<vec4<f32>, 4>(subgroupBroadcast(first, 0u), subgroupBroadcast(first, 1u),
    subgroupBroadcast(first, 2u), subgroupBroadcast(first, 3u));
  var high: array<vec4<f32>, 4>;
  if (STEP == 8u) {
    high = array<vec4<f32>, 4>(subgroupBroadcast(first, 4u), subgroupBroadcast(first, 5u),
      subgroupBroadcast(first, 6u), subgroupBroadcast(first, 7u));
  } else {
    high = array<vec4<f32>, 4>(subgroupBroadcast(second, 0u), subgroupBroadcast(second, 1u),
      subgroupBroadcast(second, 2u), subgroupBroadcast(second, 3u));
  }
  let four = (low[0] + low[1]) + (low[2] + low[3]) + ((high[0] + high[1]) + (high[2] + high[3]));
  return Inputs(low, high, (four.x + four.y) + (four.z + four.w));
}

/// The products of eight codes and inputs.
fn dot8(word: u32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  let v = vec4<f32>(vec4<u32>(word, word >> 4u, word >> 8u, word >> 12u) & vec4<u32>(15u));
  let w = vec4<f32>(vec4<u32>(word >> 16u, word >> 20u, word >> 24u, word >> 28u) & vec4<u32>(15u));
  return fma(v.w, a.w, fma(v.z, a.z, fma(v.y, a.y, v.x * a.x))) + fma(w.w, b.w, fma(w.z, b.z, fma(w.y, b.y, w.x * b.x)));
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
  var sums = vec4<f32>();
  for (var group = 0u; group < params.inputs / 32u; group++) {
    let own = group * 8u + lane % STEP;
    let first = x[own];
    var second = first;
    if (STEP == 4u) { second = x[own + 4u]; }
    let inputs = handed_round(first, second);
    let at = group * 5u;
    sums += vec4<f32>(
      first_dot(w0 + at, inputs), first_dot(w1 + at, inputs), second_dot(w2 + at, inputs), second_dot(w3 + at, inputs));
  }
  finish_row(0u, output, WORKGROUP, sums);
}
