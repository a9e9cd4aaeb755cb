// One row: a subgroup takes 8 lines; its lanes share out the inputs, four at a time, and add up at the end. Every weight is read once,
// and neighboring lanes read neighboring weights. A workgroup has as many subgroups as the adapter makes of it; together they take
// OUTPUTS outputs. inputs is a multiple of 4.

override WORKGROUP: u32;
override OUTPUTS: u32;

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
  for (var output = begin + index / lanes * 2u * QUAD; output < end; output += WORKGROUP / lanes * 2u * QUAD) {
    let w0 = line(0u, output, 1u);
    let w1 = line(1u, output, 1u);
    let w2 = line(2u, output, 1u);
    let w3 = line(3u, output, 1u);
    let w4 = line(0u, output + QUAD, 1u);
    let w5 = line(1u, output + QUAD, 1u);
    let w6 = line(2u, output + QUAD, 1u);
    let w7 = line(3u, output + QUAD, 1u);
    var low = vec4<f32>();
    var high = vec4<f32>();
    for (var k = lane; k < groups; k += lanes) {
      let inputs = x[k];
      low += inputs * mat4x4<f32>(first4(w0, k), first4(w1, k), second4(w2, k), second4(w3, k));
      high += inputs * mat4x4<f32>(first4(w4, k), first4(w5, k), second4(w6, k), second4(w7, k));
    }
    low = subgroupAdd(low);
    high = subgroupAdd(high);
    if (lane == 0u) {
      finish_row(0u, output, 1u, low);
      finish_row(0u, output + QUAD, 1u, high);
    }
  }
}
