// How `gated-linear` finishes an output, prepended to its shaders: act(gate sum + bias) · (up sum + bias).

override HAS_GATE_BIAS: bool;
override HAS_UP_BIAS: bool;

fn store(row: u32, output: u32, gate_sum: f32, up_sum: f32) {
  let column = params.output_begin + output;
  var gate_value = gate_sum;
  var up_value = up_sum;
  if (HAS_GATE_BIAS) { gate_value += gate_bias[column]; }
  if (HAS_UP_BIAS) { up_value += up_bias[column]; }
  y[row * params.output_stride + column] = activate(params.activation, gate_value) * up_value;
}
