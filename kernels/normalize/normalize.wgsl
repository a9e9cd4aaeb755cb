// y = x / sqrt(mean(x²) + epsilon), of x - mean(x) with `centered`: a workgroup per row. Every lane adds up the sums of all lanes.
//
// Prepended by the device: `params`, x [rows, dim], y [rows, dim].

const LANES = 64u;

var<workgroup> sums: array<f32, LANES>;
var<workgroup> squares: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  let base = row * params.dim;
  var sum = 0.0;
  for (var i = lane; i < params.dim; i += LANES) { sum += x[base + i]; }
  sums[lane] = sum;
  workgroupBarrier();
  var mean = 0.0;
  for (var i = 0u; i < LANES; i++) { mean += sums[i]; }
  mean *= f32(params.centered) / f32(params.dim);

  sum = 0.0;
  for (var i = lane; i < params.dim; i += LANES) { sum += (x[base + i] - mean) * (x[base + i] - mean); }
  squares[lane] = sum;
  workgroupBarrier();
  var variance = 0.0;
  for (var i = 0u; i < LANES; i++) { variance += squares[i]; }
  let scale = inverseSqrt(variance / f32(params.dim) + params.epsilon);
  for (var i = lane; i < params.dim; i += LANES) { y[base + i] = (x[base + i] - mean) * scale; }
}
