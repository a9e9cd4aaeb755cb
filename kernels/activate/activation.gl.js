// The activations by their codes (kernels/activation.ts). Arguments of exp and tanh are clamped, because some drivers overflow to
// NaN where the limit is 0 or 1; NaN itself stays NaN. erf is good to 1.5e-7 (Abramowitz and Stegun, 7.1.26).

function activation(code, x) {
  let y = x;
  if (code === 1) {
    y = x / (1.0 + Math.exp(Math.min(0.0 - x, 80.0)));
  } else if (code === 2) {
    const v = x * 0.7071067811865476;
    const a = Math.min(Math.abs(v), 9.0);
    const t = 1.0 / (1.0 + 0.3275911 * a);
    const series = t * (0.254829592 + t * (t * (1.421413741 + t * (t * 1.061405429 - 1.453152027)) - 0.284496736));
    const erf = 1.0 - series * Math.exp(0.0 - a * a);
    if (v < 0.0) {
      y = 0.5 * x * (1.0 - erf);
    } else {
      y = 0.5 * x * (1.0 + erf);
    }
  } else if (code === 3) {
    const inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    y = 0.5 * x * (1.0 + Math.tanh(Math.max(Math.min(inner, 10.0), -10.0)));
  } else if (code === 4) {
    if (x <= 0.0) y = 0.0;
  }
  return y;
}
