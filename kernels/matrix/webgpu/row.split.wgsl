// One row, for adapters with many more lanes than a matrix has outputs: a workgroup takes 4 lines and shares out the inputs, four at a
// time; its subgroups add up, and the first lane adds their sums. inputs is a multiple of 4.

override WORKGROUP: u32;
/// Subgroups of a workgroup at most.
const SUBGROUPS = 64u;

var<workgroup> parts: array<vec4<f32>, SUBGROUPS>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let groups = params.inputs / 4u;
  let output = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * QUAD;
  let w0 = line(0u, output, 1u);
  let w1 = line(1u, output, 1u);
  let w2 = line(2u, output, 1u);
  let w3 = line(3u, output, 1u);
  var sums = vec4<f32>();
  for (var k = index; k < groups; k += WORKGROUP) {
    sums += x[k] * mat4x4<f32>(first4(w0, k), first4(w1, k), second4(w2, k), second4(w3, k));
  }
  sums = subgroupAdd(sums);
  if (lane == 0u) { parts[index / lanes] = sums; }
  workgroupBarrier();
  if (index > 0u) { return; }
  for (var i = 1u; i < (WORKGROUP + lanes - 1u) / lanes; i++) { sums += parts[i]; }
  finish_row(0u, output, 1u, sums);
}
