// Groups of quantized weights of a panel as f32, laid out as pack-quantized.ts says. A vector holds two columns of four rows.

import { firstFour, lastFour } from "./eight-weights.as";

/** Eight halves as f32: the first four. */
@inline
export function firstHalves(at: usize): v128 {
  return firstFour<i16>(v128.load(at));
}
/** Eight halves as f32: the last four. */
@inline
export function lastHalves(at: usize): v128 {
  return lastFour<i16>(v128.load(at));
}

/** Two columns of four rows of int8, widened to 16 bits, as f32 [2][4], 32 bytes apart. */
@inline
function widenPair(pair: v128, scale: v128, to: usize): void {
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(pair, 16), 16)), scale));
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(pair, 16)), scale), 32);
}

/** A group of int8 as f32 [32][8]. */
export function widenInt8(group: usize, to: usize): void {
  const first = firstHalves(group), last = lastHalves(group);
  group += 16;
  for (const end = to + 1024; to < end; to += 64, group += 16) {
    widenPair(v128.load_ext<i8>(group), first, to);
    widenPair(v128.load_ext<i8>(group, 8), last, to + 16);
  }
}

/** Eight columns of four rows of int4 as f32 [8][4], 32 bytes apart. */
@inline
function widenBlock(block: v128, scale: v128, minimum: v128, to: usize): void {
  const mask = i32x4.splat(15);
  for (let i = 0; i < 4; i++) {
    const first = f32x4.convert_i32x4_s(v128.and(block, mask));
    const last = f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(block, 4), mask));
    v128.store(to, f32x4.add(f32x4.mul(first, scale), minimum));
    v128.store(to, f32x4.add(f32x4.mul(last, scale), minimum), 128);
    block = i32x4.shr_u(block, 8);
    to += 32;
  }
}

/** A group of int4 as f32 [32][8]. */
export function widenInt4(group: usize, to: usize): void {
  const d0 = firstHalves(group), d1 = lastHalves(group);
  const m0 = firstHalves(group + 16), m1 = lastHalves(group + 16);
  group += 32;
  for (const end = to + 1024; to < end; to += 256, group += 32) {
    widenBlock(v128.load(group), d0, m0, to);
    widenBlock(v128.load(group, 16), d1, m1, to + 16);
  }
}
