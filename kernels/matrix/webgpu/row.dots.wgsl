// One row times quantized weights: x is rounded to int8 in groups of 32, so that one dot4I8Packed makes four products and their sum. A
// subgroup takes 16 lines, a lane one group of each at a time, and the lanes add up at the end. Rounding a group costs as much as
// several lines of it, so it is done once for 16. inputs is a multiple of 32.

override WORKGROUP: u32;
override OUTPUTS: u32;

fn quad_at(output: u32) -> vec4<u32> {
  return vec4<u32>(line(0u, output, 1u), line(1u, output, 1u), line(2u, output, 1u), line(3u, output, 1u));
}

fn dot_quad(lines: vec4<u32>, group: u32, inputs: Rounded) -> vec4<f32> {
  return vec4<f32>(
    dot_group(first_codes(lines.x, group), inputs), dot_group(first_codes(lines.y, group), inputs),
    dot_group(second_codes(lines.z, group), inputs), dot_group(second_codes(lines.w, group), inputs));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 32u;
  let begin = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * OUTPUTS;
  let end = min(begin + OUTPUTS, params.outputs);
  for (var output = begin + index / lanes * 4u * QUAD; output < end; output += WORKGROUP / lanes * 4u * QUAD) {
    let wa = quad_at(output);
    let wb = quad_at(output + QUAD);
    let wc = quad_at(output + 2u * QUAD);
    let wd = quad_at(output + 3u * QUAD);
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var group = lane; group < groups; group += lanes) {
      let inputs = rounded(group * 8u);
      a += dot_quad(wa, group, inputs);
      b += dot_quad(wb, group, inputs);
      c += dot_quad(wc, group, inputs);
      d += dot_quad(wd, group, inputs);
    }
    var sums = array<vec4<f32>, 4>(subgroupAdd(a), subgroupAdd(b), subgroupAdd(c), subgroupAdd(d));
    if (lane == 0u) {
      for (var i = 0u; i < 4u; i++) { finish_row(0u, output + i * QUAD, 1u, sums[i]); }
    }
  }
}
