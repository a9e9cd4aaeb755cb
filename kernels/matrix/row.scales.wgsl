// One row against int8, for adapters that gather number by number what their lanes load: as `row.subgroups`, but the lanes go
// through x group by group of 32 columns, so that each of the first four loads and decodes the group's scale for two of 8
// lines, and hands them to the others. STEP lanes (4 or 8) are a subgroup. What the next subgroup takes is touched in its
// order, for the processor to foresee it. inputs is a multiple of 32.

override WORKGROUP: u32;
override OUTPUTS: u32;
override STEP: u32;

/// Words that come from memory together.
const CACHE_LINE = 16u;

fn codes4(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4<u32>(word << 24u, word << 16u, word << 8u, word)) >> vec4<u32>(24u));
}

fn first_codes(begin: u32, k: u32) -> vec4<f32> { return codes4(first_element(codes_at(begin, k))); }

fn second_codes(begin: u32, k: u32) -> vec4<f32> { return codes4(second_element(codes_at(begin, k))); }

/// Four inputs times the codes of a quad's lines.
fn dot_quad(w: vec4<u32>, k: u32, inputs: vec4<f32>) -> vec4<f32> {
  return inputs * mat4x4<f32>(first_codes(w.x, k), first_codes(w.y, k), second_codes(w.z, k), second_codes(w.w, k));
}

/// The scales of a quad's lines, each loaded by the lane of its number.
fn scales_of(begin: u32, group: u32, lane: u32) -> vec4<f32> {
  let at = scale_at(begin, group * 8u);
  let halves = select(first_element(at), second_element(at), lane % 4u > 1u);
  let scale = half_to_float((halves >> ((group & 1u) * 16u)) & 0xffffu);
  return vec4<f32>(subgroupBroadcast(scale, 0u), subgroupBroadcast(scale, 1u),
    subgroupBroadcast(scale, 2u), subgroupBroadcast(scale, 3u));
}

fn quad_at(output: u32) -> vec4<u32> {
  return vec4<u32>(line(0u, output, 1u), line(1u, output, 1u), line(2u, output, 1u), line(3u, output, 1u));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let begin = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * OUTPUTS;
  let end = min(begin + OUTPUTS, params.outputs);
  for (var output = begin + index / STEP * 2u * QUAD; output < end; output += WORKGROUP / STEP * 2u * QUAD) {
    let low_lines = quad_at(output);
    let high_lines = quad_at(output + QUAD);
    let own_low = line(lane % 4u, output, 1u);
    let own_high = line(lane % 4u, output + QUAD, 1u);
    // the next 8 lines, of one matrix or of two
    let next = output + 2u * QUAD;
    let next_first = line(0u, next, 1u) + lane * CACHE_LINE;
    let next_second = line(2u, next + QUAD - 2u, 1u) + lane * CACHE_LINE;
    var touched = 0u;
    var low = vec4<f32>();
    var high = vec4<f32>();
    for (var group = 0u; group < params.inputs / 32u; group++) {
      let k = group * 8u + lane;
      if (group % 2u == 0u) {
        let ahead = group / 2u * STEP * CACHE_LINE;
        touched |= first_element(next_first + ahead) | second_element(next_second + ahead);
      }
      let inputs = x[k];
      var low_part = dot_quad(low_lines, k, inputs);
      var high_part = dot_quad(high_lines, k, inputs);
      if (STEP == 4u) {
        let later = x[k + 4u];
        low_part += dot_quad(low_lines, k + 4u, later);
        high_part += dot_quad(high_lines, k + 4u, later);
      }
      low += low_part * scales_of(own_low, group, lane);
      high += high_part * scales_of(own_high, group, lane);
    }
    low = subgroupAdd(low);
    high = subgroupAdd(high);
    if (touched == 0xffffffffu && params.inputs == 0u) { return; } // never: but now the touching is not left out
    if (lane == 0u) {
      finish_row(0u, output, 1u, low);
      finish_row(0u, output + QUAD, 1u, high);
    }
  }
}
