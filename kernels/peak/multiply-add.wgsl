// Only multiply-adds: eight independent vectors a lane.
//
// Prepended by the device: `params`, x [count] of vec4<f32>, y [count] of vec4<f32>.

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = ((workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane) * 8u;
  if (place * 4u >= params.count) { return; }
  let f = vec4(params.factor);
  let a = vec4(params.addend);
  var v0 = x[place];
  var v1 = x[place + 1u];
  var v2 = x[place + 2u];
  var v3 = x[place + 3u];
  var v4 = x[place + 4u];
  var v5 = x[place + 5u];
  var v6 = x[place + 6u];
  var v7 = x[place + 7u];
  for (var step = 0u; step < params.steps; step++) {
    v0 = fma(v0, f, a);
    v1 = fma(v1, f, a);
    v2 = fma(v2, f, a);
    v3 = fma(v3, f, a);
    v4 = fma(v4, f, a);
    v5 = fma(v5, f, a);
    v6 = fma(v6, f, a);
    v7 = fma(v7, f, a);
  }
  y[place] = v0;
  y[place + 1u] = v1;
  y[place + 2u] = v2;
  y[place + 3u] = v3;
  y[place + 4u] = v4;
  y[place + 5u] = v5;
  y[place + 6u] = v6;
  y[place + 7u] = v7;
}
