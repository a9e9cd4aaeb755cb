// exp, tanh, erfc and the activations of activation.ts, four f32 lanes at a time, to 1-2e-7 relative.
//
// The polynomials are minimax fits of this project's own (reweighted least squares at Chebyshev nodes); the error stated
// with each is the fit's, before f32 rounding.

import { madd } from "./call.as";

@inline
function constant(value: f32): v128 {
  return f32x4.splat(value);
}

/** e^x; 0 below -87.33, and no larger than e^88.37. NaN stays NaN. */
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.min(f32x4.max(x, constant(-87.33)), constant(88.37));
  const n = f32x4.nearest(f32x4.mul(bounded, constant(1.44269504)));
  // x - n ln 2 in two steps: the first product is exact
  let r = f32x4.sub(bounded, f32x4.mul(n, constant(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, constant(-2.12194440e-4)));
  // (e^r - 1 - r) / r² on |r| <= ln 2 / 2, error 3e-9
  let p = madd(constant(0.0013950486), r, constant(0.0083688898));
  p = madd(p, r, constant(0.041666206));
  p = madd(p, r, constant(0.16666518));
  p = madd(p, r, constant(0.5));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), constant(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), f32x4.lt(x, constant(-87.33)));
}

/** tanh x */
@inline
export function tanh4(x: v128): v128 {
  const a = f32x4.abs(x);
  // near 0, x + x z P(z) with z = x²: error 6e-9 relative
  const z = f32x4.mul(x, x);
  let p = madd(constant(-0.0055330368), z, constant(0.020488126));
  p = madd(p, z, constant(-0.053694818));
  p = madd(p, z, constant(0.13330929));
  p = madd(p, z, constant(-0.33333266));
  const near = madd(f32x4.mul(p, z), x, x);
  // elsewhere 1 - 2 / (e^2|x| + 1), with the sign of x
  const e = exp4(f32x4.add(a, a));
  const far = f32x4.sub(constant(1), f32x4.div(constant(2), f32x4.add(e, constant(1))));
  const signed = v128.or(far, v128.and(x, constant(-0.0)));
  return v128.bitselect(near, signed, f32x4.lt(a, constant(0.65)));
}

/** erfc a for a >= 0, with a small relative error in the tail too: t P(t) e^(-a²), t = 1 / (1 + 0.4 a); error 5e-8 */
@inline
function erfcOfPositive4(a: v128): v128 {
  const t = f32x4.div(constant(1), madd(constant(0.4), a, constant(1)));
  let p = madd(constant(0.03914183), t, constant(-0.12989756));
  p = madd(p, t, constant(0.062091798));
  p = madd(p, t, constant(0.11347403));
  p = madd(p, t, constant(0.061776258));
  p = madd(p, t, constant(0.20122391));
  p = madd(p, t, constant(0.19983481));
  p = madd(p, t, constant(0.2267386));
  p = madd(p, t, constant(0.22561638));
  return f32x4.mul(f32x4.mul(p, t), exp4(f32x4.neg(f32x4.mul(a, a))));
}

/** x · sigmoid(x) */
@inline
function silu4(x: v128): v128 {
  return f32x4.div(x, f32x4.add(constant(1), exp4(f32x4.neg(x))));
}

/** x · Phi(x): with e = erfc(|x| / sqrt 2) / 2, x e on the left and x - x e on the right */
@inline
function gelu4(x: v128): v128 {
  const tail = f32x4.mul(f32x4.mul(x, constant(0.5)), erfcOfPositive4(f32x4.mul(f32x4.abs(x), constant(0.70710678))));
  return v128.bitselect(tail, f32x4.sub(x, tail), f32x4.lt(x, constant(0)));
}

/** x (1 + tanh(u)) / 2 = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x³) */
@inline
function geluTanh4(x: v128): v128 {
  const cubic = madd(f32x4.mul(constant(0.044715), f32x4.mul(x, x)), x, x);
  return f32x4.div(x, f32x4.add(constant(1), exp4(f32x4.mul(cubic, constant(-1.59576912)))));
}

/** act(x) for a code of ACTIVATIONS. */
@inline
export function activate4(code: u32, x: v128): v128 {
  return code == 0 ? x : activateBy(code, x);
}

function activateBy(code: u32, x: v128): v128 {
  if (code == 1) return silu4(x);
  if (code == 2) return gelu4(x);
  if (code == 3) return geluTanh4(x);
  return f32x4.max(x, constant(0));
}

/** cap · tanh(x / cap), or x where the cap is 0 */
@inline
export function softcap4(cap: f32, x: v128): v128 {
  return cap > 0 ? f32x4.mul(constant(cap), tanh4(f32x4.div(x, constant(cap)))) : x;
}

/** e^x of one number, by the same polynomial */
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
