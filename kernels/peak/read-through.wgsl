// Only reads: a workgroup reads a chunk of 64 lines of 64 numbers, and a lane sums a column.
//
// Prepended by the device: `params`, x [chunks, 64, 64], y [chunks, 64].

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (chunk >= params.chunks) { return; }
  let begin = chunk * 4096u + lane;
  var s0 = 0.0;
  var s1 = 0.0;
  var s2 = 0.0;
  var s3 = 0.0;
  for (var k = 0u; k < 4096u; k += 256u) {
    s0 += x[begin + k];
    s1 += x[begin + k + 64u];
    s2 += x[begin + k + 128u];
    s3 += x[begin + k + 192u];
  }
  y[chunk * 64u + lane] = (s0 + s1) + (s2 + s3);
}
