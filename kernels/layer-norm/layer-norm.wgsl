// y = (x - mean(x)) / sqrt(variance(x) + epsilon) · weight + bias: a workgroup per row. The mean is computed first, then the variance
// from the differences, each with one barrier; every lane adds up the sums of all lanes.
//
// Prepended by the device: `params`, x [rows, dim], weight [dim], bias [dim], y [rows, dim].

const LANES = 64u;
override HAS_BIAS: bool;

fn store(row: u32, i: u32, mean: f32, scale: f32) {
  let place = row * params.dim + i;
  var value = (x[place] - mean) * scale * weight[i];
  if (HAS_BIAS) { value += bias[i]; }
  y[place] = value;
}

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
  mean /= f32(params.dim);

  sum = 0.0;
  for (var i = lane; i < params.dim; i += LANES) { sum += (x[base + i] - mean) * (x[base + i] - mean); }
  squares[lane] = sum;
  workgroupBarrier();
  var variance = 0.0;
  for (var i = 0u; i < LANES; i++) { variance += squares[i]; }
  let scale = inverseSqrt(variance / f32(params.dim) + params.epsilon);
  for (var i = lane; i < params.dim; i += LANES) { store(row, i, mean, scale); }
}
