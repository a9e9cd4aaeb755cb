// Two to four rows: a subgroup takes 8 lines for all rows; its lanes share out the inputs, four at a time, and add up at the end. Every
// weight is read once for all rows. A workgroup has as many subgroups as the adapter makes of it; together they take OUTPUTS outputs.
// inputs is a multiple of 4.

override WORKGROUP: u32;
override OUTPUTS: u32;

/// The lanes' sums of a quad, added up: [lines][rows].
fn total(s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(subgroupAdd(s0), subgroupAdd(s1), subgroupAdd(s2), subgroupAdd(s3));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 4u;
  let begin = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * OUTPUTS;
  let end = min(begin + OUTPUTS, params.outputs);
  let x1 = min(1u, params.rows - 1u) * groups;
  let x2 = min(2u, params.rows - 1u) * groups;
  let x3 = min(3u, params.rows - 1u) * groups;
  for (var output = begin + index / lanes * 2u * QUAD; output < end; output += WORKGROUP / lanes * 2u * QUAD) {
    let w0 = line(0u, output, 1u);
    let w1 = line(1u, output, 1u);
    let w2 = line(2u, output, 1u);
    let w3 = line(3u, output, 1u);
    let w4 = line(0u, output + QUAD, 1u);
    let w5 = line(1u, output + QUAD, 1u);
    let w6 = line(2u, output + QUAD, 1u);
    let w7 = line(3u, output + QUAD, 1u);
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    for (var k = lane; k < groups; k += lanes) {
      let rows = mat4x4<f32>(x[k], x[x1 + k], x[x2 + k], x[x3 + k]);
      s0 += first4(w0, k) * rows;
      s1 += first4(w1, k) * rows;
      s2 += second4(w2, k) * rows;
      s3 += second4(w3, k) * rows;
      s4 += first4(w4, k) * rows;
      s5 += first4(w5, k) * rows;
      s6 += second4(w6, k) * rows;
      s7 += second4(w7, k) * rows;
    }
    let low = total(s0, s1, s2, s3);
    let high = total(s4, s5, s6, s7);
    if (lane == 0u) {
      finish(0u, output, 1u, low);
      finish(0u, output + QUAD, 1u, high);
    }
  }
}
