// One rounded row of x times a panel of quantized weights: the inner loop of rows.quantized, unrolled to eight columns a turn, with two
// alternating sums for each half of the panel, so that no addition waits for the one before.

import { GROUP } from "./rounded-rows.as";
import { addMinimum, dotAdd, finishRow } from "./group-sums.as";
import { firstHalves, lastHalves } from "./weights.quantized.as";

/** tile [8] += a rounded row times the groups of an int8 panel. */
export function addRowInt8(x: usize, panel: usize, groups: i32, tile: usize): void {
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP, panel += 272) {
    let a0 = i32x4.splat(0), b0 = i32x4.splat(0), a1 = i32x4.splat(0), b1 = i32x4.splat(0);
    let at = panel + 16;
    for (let from = x; from < x + 64; from += 16, at += 64) {
      const s0 = v128.load_splat<i32>(from);
      a0 = dotAdd(a0, v128.load_ext<i8>(at), s0), b0 = dotAdd(b0, v128.load_ext<i8>(at, 8), s0);
      const s1 = v128.load_splat<i32>(from, 4);
      a1 = dotAdd(a1, v128.load_ext<i8>(at, 16), s1), b1 = dotAdd(b1, v128.load_ext<i8>(at, 24), s1);
      const s2 = v128.load_splat<i32>(from, 8);
      a0 = dotAdd(a0, v128.load_ext<i8>(at, 32), s2), b0 = dotAdd(b0, v128.load_ext<i8>(at, 40), s2);
      const s3 = v128.load_splat<i32>(from, 12);
      a1 = dotAdd(a1, v128.load_ext<i8>(at, 48), s3), b1 = dotAdd(b1, v128.load_ext<i8>(at, 56), s3);
    }
    finishRow(tile, x, i32x4.add(a0, a1), i32x4.add(b0, b1), firstHalves(panel), lastHalves(panel));
  }
}

/** tile [8] += a rounded row times the groups of an int4 panel. */
export function addRowInt4(x: usize, panel: usize, groups: i32, tile: usize): void {
  const mask = i16x8.splat(15);
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP, panel += 160) {
    let a0 = i32x4.splat(0), b0 = i32x4.splat(0), a1 = i32x4.splat(0), b1 = i32x4.splat(0);
    let at = panel + 32;
    for (let from = x; from < x + 64; from += 16, at += 32) {
      const p = v128.load(at), q = v128.load(at, 16);
      const s0 = v128.load_splat<i32>(from);
      a0 = dotAdd(a0, v128.and(p, mask), s0), b0 = dotAdd(b0, v128.and(q, mask), s0);
      const s1 = v128.load_splat<i32>(from, 4);
      a1 = dotAdd(a1, v128.and(i16x8.shr_u(p, 4), mask), s1), b1 = dotAdd(b1, v128.and(i16x8.shr_u(q, 4), mask), s1);
      const s2 = v128.load_splat<i32>(from, 8);
      a0 = dotAdd(a0, v128.and(i16x8.shr_u(p, 8), mask), s2), b0 = dotAdd(b0, v128.and(i16x8.shr_u(q, 8), mask), s2);
      const s3 = v128.load_splat<i32>(from, 12);
      a1 = dotAdd(a1, i16x8.shr_u(p, 12), s3), b1 = dotAdd(b1, i16x8.shr_u(q, 12), s3);
    }
    finishRow(tile, x, i32x4.add(a0, a1), i32x4.add(b0, b1), firstHalves(panel), lastHalves(panel));
    addMinimum(tile, x, firstHalves(panel + 16), lastHalves(panel + 16));
  }
}
