// Writes heads of a cache. The format is a type, as in heads.as.ts.

import { codeBytes, headBytes } from "./heads.as";

const SMALLER: f32 = 1.9259299443872359e-34; // 2^-112, between the exponents of f32 and of halves

/** Whether a number of `from` [n], zeros behind it, is NaN or infinite. */
function hasNone(from: usize, n: usize): bool {
  let isSound = i32x4.splat(-1);
  for (let i: usize = 0; i < n; i += 4) {
    isSound = v128.and(isSound, f32x4.lt(f32x4.abs(v128.load(from + (i << 2))), f32x4.splat(Infinity)));
  }
  return !i32x4.all_true(isSound);
}

/** Four numbers as halves in the low 16 bits of each lane, to the nearest, of two the even one; 65504 at most. */
@inline
function toHalves(numbers: v128): v128 {
  const magnitude = f32x4.mul(f32x4.min(f32x4.abs(numbers), f32x4.splat(65504)), f32x4.splat(SMALLER));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff)), odd), 13);
  return v128.or(rounded, v128.and(i32x4.shr_u(numbers, 16), i32x4.splat(0x8000)));
}

/** The scale of numbers `from`.., at most 32 and a multiple of 4: max / 127 as bf16, 0 where that is subnormal. */
function scaleFor(from: usize, count: usize): f32 {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < count; i += 4) largest = f32x4.max(largest, f32x4.abs(v128.load(from + (i << 2))));
  const pairs = f32x4.max(largest, i32x4.shuffle(largest, largest, 2, 3, 0, 1));
  const bits = reinterpret<u32>(max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1)) / 127);
  if (bits < 0x800000) return 0;
  if (bits >= 0x7f800000) return NaN;
  return reinterpret<f32>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
}

/** Writes the numbers from [headDim] into a head. The three numbers behind them are overwritten with zeros. */
export function packHead<T>(from: usize, headDim: u32, head: usize): void {
  const n = <usize>headDim;
  if (isFloat<T>()) {
    memory.copy(head, from, n << 2);
    return;
  }
  for (let i = n; i < n + 3; i++) store<f32>(from + (i << 2), 0);
  if (sizeof<T>() == 2) {
    if (hasNone(from, n)) {
      for (const end = head + headBytes<T>(headDim); head < end; head += 4) store<u32>(head, 0x7e007e00);
      return;
    }
    for (let i: usize = 0; i < n; i += 4) {
      const halves = toHalves(v128.load(from + (i << 2)));
      const packed = i16x8.narrow_i32x4_u(halves, halves);
      if (i + 2 < n) v128.store64_lane(head + (i << 1), packed, 0);
      else v128.store32_lane(head + (i << 1), packed, 0);
    }
    return;
  }
  const scales = head + codeBytes(headDim);
  for (let first: usize = 0; first < n; first += 64) store<u32>(scales + (first >> 4), 0);
  for (let first: usize = 0; first < n; first += 32) {
    const end = min(first + 32, codeBytes(headDim));
    const scale = scaleFor(from + (first << 2), end - first);
    store<u16>(scales + (first >> 5 << 1), <u16>(reinterpret<u32>(scale) >> 16));
    const inverse = f32x4.splat(scale > 0 ? 1 / scale : 0);
    for (let i = first; i < end; i += 4) {
      const places = f32x4.nearest(f32x4.mul(v128.load(from + (i << 2)), inverse));
      const codes = i32x4.trunc_sat_f32x4_s(f32x4.max(f32x4.splat(-127), f32x4.min(f32x4.splat(127), places)));
      const words = i16x8.narrow_i32x4_s(codes, codes);
      v128.store32_lane(head + i, i8x16.narrow_i16x8_s(words, words), 0);
    }
  }
}
