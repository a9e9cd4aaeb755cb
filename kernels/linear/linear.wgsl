// Any shape, on any adapter: a lane takes one output of 4 rows, so that a weight is read once for all of them. The epilogue (bias,
// activation, softcap, residual) is in epilogue.wgsl, the unpacking of four weights in kernels/matrix/webgpu/formats.
//
// Prepended by the device: `params`, and
//   x [rows, inputs]
//   weight [outputs, row_stride(inputs)]
//   bias [output_stride]
//   residual [rows, output_stride]
//   y [rows, output_stride]

/// Weights 4k.. of the row of `weight` that begins at `row`.
fn weight4(row: u32, k: u32) -> vec4<f32> {
  return unpack4(weight[codes_at(row, k)], weight[scale_at(row, k)], k);
}

/// Inputs column..column + 4 of a row, zeros beyond the last column; of a row beyond the last the last row's.
fn inputs4(row: u32, column: u32) -> vec4<f32> {
  let base = min(row, params.rows - 1u) * params.inputs;
  let columns = column + vec4<u32>(0u, 1u, 2u, 3u);
  let own = base + min(columns, vec4<u32>(params.inputs - 1u));
  return select(vec4<f32>(), vec4<f32>(x[own.x], x[own.y], x[own.z], x[own.w]), columns < vec4<u32>(params.inputs));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  let output = place % params.outputs;
  let row = place / params.outputs * 4u;
  if (row >= params.rows) { return; }
  let stride = row_stride(params.inputs);
  var sums = vec4<f32>();
  for (var k = 0u; k < (params.inputs + 3u) / 4u; k++) {
    let column = k * 4u;
    let rows = mat4x4<f32>(
      inputs4(row, column), inputs4(row + 1u, column), inputs4(row + 2u, column), inputs4(row + 3u, column));
    sums += weight4(output * stride, k) * rows;
  }
  for (var r = 0u; r < min(4u, params.rows - row); r++) { store(row + r, output, sums[r]); }
}
