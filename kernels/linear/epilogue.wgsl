// How `linear` finishes an output, prepended to its shaders: softcap(act(sum + bias)) + residual.

override HAS_BIAS: bool;
override HAS_RESIDUAL: bool;

fn store(row: u32, output: u32, sum: f32) {
  let column = params.output_begin + output;
  let place = row * params.output_stride + column;
  var value = sum;
  if (HAS_BIAS) { value += bias[column]; }
  value = activate(params.activation, value);
  if (params.softcap > 0.0) { value = params.softcap * tanh_clamped(value / params.softcap); }
  if (HAS_RESIDUAL) { value += residual[place]; }
  y[place] = value;
}
