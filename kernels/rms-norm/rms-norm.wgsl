// y = residual + x / sqrt(mean(x²) + epsilon) · (weight_offset + weight): a workgroup per row. There is one barrier: every lane adds up
// the sums of squares of all lanes.
//
// Prepended by the device: `params`, x [rows, dim], weight [dim], residual [rows, dim], y [rows, dim].

const LANES = 64u;
override HAS_RESIDUAL: bool;

fn store(row: u32, i: u32, scale: f32) {
  let place = row * params.dim + i;
  var value = x[place] * scale * (params.weight_offset + weight[i]);
  if (HAS_RESIDUAL) { value += residual[place]; }
  y[place] = value;
}

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) { return; }
  var sum = 0.0;
  for (var i = lane; i < params.dim; i += LANES) {
    let value = x[row * params.dim + i];
    sum += value * value;
  }
  sums[lane] = sum;
  workgroupBarrier();
  var squares = 0.0;
  for (var i = 0u; i < LANES; i++) { squares += sums[i]; }
  let scale = inverseSqrt(squares / f32(params.dim) + params.epsilon);
  for (var i = lane; i < params.dim; i += LANES) { store(row, i, scale); }
}
