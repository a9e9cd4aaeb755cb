// The activations of `linear`, `gated-linear` and `activate`, by the code that their `activation` parameter carries.

/** Codes of the `activation` parameter. */
export const ACTIVATIONS = { none: 0, silu: 1, gelu: 2, "gelu-tanh": 3, relu: 4 } as const;
/** Name of an activation in ACTIVATIONS. */
export type ActivationName = keyof typeof ACTIVATIONS;

/** erf to 1e-16 relative by its Taylor series (small x) or the continued fraction of erfc (large x). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 100 && Math.abs(term) > 1e-18 * sum; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

/** act(x) by code: silu x·sigmoid(x); gelu x·Phi(x); gelu-tanh Hendrycks and Gimpel's approximation (arXiv 1606.08415). */
export function activate(code: number, x: number): number {
  switch (code) {
    case ACTIVATIONS.silu:
      return x / (1 + Math.exp(-x));
    case ACTIVATIONS.gelu:
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case ACTIVATIONS["gelu-tanh"]:
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    case ACTIVATIONS.relu:
      return Math.max(0, x);
    default:
      return x;
  }
}
