// The activations by their codes (kernels/activation.ts), prepended to shaders that end in one.
// Arguments of exp and tanh are clamped, because some adapters overflow to NaN where the limit is 0 or 1. NaN stays NaN; it is found
// by its bits where a clamp would lose it.

fn tanh_clamped(v: f32) -> f32 {
  let is_nan = (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
  return select(tanh(clamp(v, -10.0, 10.0)), v, is_nan);
}

/// erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: f32) -> f32 {
  let a = min(abs(v), 9.0);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - series * exp(-a * a));
}

fn activate(code: u32, v: f32) -> f32 {
  switch (code) {
    case 1u: { return v / (1.0 + exp(min(-v, 80.0))); }                                              // silu
    case 2u: { return 0.5 * v * (1.0 + erf(v * 0.70710678)); }                                       // gelu
    case 3u: { return 0.5 * v * (1.0 + tanh_clamped(0.79788456 * (v + 0.044715 * v * v * v))); }     // gelu-tanh
    case 4u: { return select(v, 0.0, v <= 0.0); }                                                    // relu
    default: { return v; }
  }
}
