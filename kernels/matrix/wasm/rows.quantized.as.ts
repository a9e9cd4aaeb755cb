// One to four rows of x times a panel of quantized weights, each weight read once for all rows. row.quantized.as.ts has the loop for a
// single row.
//
// x is rounded to 16 bits (rounded-rows), so that one i32x4.dot_i16x8 multiplies two columns of four weights; the scales of weights and
// x are applied once a group. The sums of a group are exact: 32 · 127 · 32767 < 2^31. The minimum of an int4 group adds minimum · sum(x).

import { GROUP, roundedAddress, roundRows } from "./rounded-rows.as";
import { addLimbs, roundLimbs } from "./row.limbs.as";
import { addMinimum, dotAdd, finishRow } from "./group-sums.as";
import { addRowInt4, addRowInt8 } from "./row.quantized.as";
import { firstHalves, lastHalves } from "./weights.quantized.as";

/** `rows`, 2 to 4, is a constant where this is called: each count of rows is compiled by itself. */
@inline
function addInt8(rows: i32, x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  const x1 = stride, x2 = stride * 2, x3 = stride * 3;
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP, panel += 272) {
    let a0 = i32x4.splat(0), b0 = i32x4.splat(0), a1 = i32x4.splat(0), b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0), b2 = i32x4.splat(0), a3 = i32x4.splat(0), b3 = i32x4.splat(0);
    let at = panel + 16;
    for (let from = x; from < x + 64; from += 4, at += 16) {
      const w = v128.load_ext<i8>(at), v = v128.load_ext<i8>(at, 8);
      const s0 = v128.load_splat<i32>(from);
      a0 = dotAdd(a0, w, s0), b0 = dotAdd(b0, v, s0);
      const s1 = v128.load_splat<i32>(from + x1);
      a1 = dotAdd(a1, w, s1), b1 = dotAdd(b1, v, s1);
      if (rows > 2) {
        const s2 = v128.load_splat<i32>(from + x2);
        a2 = dotAdd(a2, w, s2), b2 = dotAdd(b2, v, s2);
      }
      if (rows > 3) {
        const s3 = v128.load_splat<i32>(from + x3);
        a3 = dotAdd(a3, w, s3), b3 = dotAdd(b3, v, s3);
      }
    }
    const d0 = firstHalves(panel), d1 = lastHalves(panel);
    finishRow(tile, x, a0, b0, d0, d1);
    finishRow(tile + 32, x + x1, a1, b1, d0, d1);
    if (rows > 2) finishRow(tile + 64, x + x2, a2, b2, d0, d1);
    if (rows > 3) finishRow(tile + 96, x + x3, a3, b3, d0, d1);
  }
}

@inline
function addInt4(rows: i32, x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  const x1 = stride, x2 = stride * 2, x3 = stride * 3;
  const mask = i16x8.splat(15);
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP, panel += 160) {
    let a0 = i32x4.splat(0), b0 = i32x4.splat(0), a1 = i32x4.splat(0), b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0), b2 = i32x4.splat(0), a3 = i32x4.splat(0), b3 = i32x4.splat(0);
    let at = panel + 32;
    for (let from = x; from < x + 64; at += 32) {
      let p = v128.load(at), q = v128.load(at, 16);
      for (const block = from + 16; from < block; from += 4) {
        const w = v128.and(p, mask), v = v128.and(q, mask);
        const s0 = v128.load_splat<i32>(from);
        a0 = dotAdd(a0, w, s0), b0 = dotAdd(b0, v, s0);
        const s1 = v128.load_splat<i32>(from + x1);
        a1 = dotAdd(a1, w, s1), b1 = dotAdd(b1, v, s1);
        if (rows > 2) {
          const s2 = v128.load_splat<i32>(from + x2);
          a2 = dotAdd(a2, w, s2), b2 = dotAdd(b2, v, s2);
        }
        if (rows > 3) {
          const s3 = v128.load_splat<i32>(from + x3);
          a3 = dotAdd(a3, w, s3), b3 = dotAdd(b3, v, s3);
        }
        p = i16x8.shr_u(p, 4), q = i16x8.shr_u(q, 4);
      }
    }
    const d0 = firstHalves(panel), d1 = lastHalves(panel);
    const m0 = firstHalves(panel + 16), m1 = lastHalves(panel + 16);
    finishRow(tile, x, a0, b0, d0, d1), addMinimum(tile, x, m0, m1);
    finishRow(tile + 32, x + x1, a1, b1, d0, d1), addMinimum(tile + 32, x + x1, m0, m1);
    if (rows > 2) finishRow(tile + 64, x + x2, a2, b2, d0, d1), addMinimum(tile + 64, x + x2, m0, m1);
    if (rows > 3) finishRow(tile + 96, x + x3, a3, b3, d0, d1), addMinimum(tile + 96, x + x3, m0, m1);
  }
}

@inline
function add<W>(rows: i32, x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  if (isSigned<W>()) addInt8(rows, x, stride, panel, groups, tile);
  else addInt4(rows, x, stride, panel, groups, tile);
}
function add2<W>(x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  add<W>(2, x, stride, panel, groups, tile);
}
function add3<W>(x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  add<W>(3, x, stride, panel, groups, tile);
}
function add4<W>(x: usize, stride: usize, panel: usize, groups: i32, tile: usize): void {
  add<W>(4, x, stride, panel, groups, tile);
}

/** Rounds one to four rows of x [rows][inputs] for `addQuantized`; a single one is taken apart into limbs where one instruction multiplies bytes. */
export function roundFewRows<W>(x: usize, rows: u32, inputs: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD && !isSigned<W>() && rows == 1) roundLimbs(x, inputs, roundedAddress());
  else roundRows<W>(x, rows, inputs, roundedAddress());
}

/** tile [rows][8] += one to four rounded rows times a panel; i8 is int8, u8 is int4. */
export function addQuantized<W>(rows: u32, panel: usize, inputs: i32, tile: usize): void {
  const groups = (inputs + 31) >> 5;
  const stride = <usize>groups * GROUP;
  const x = roundedAddress();
  if (rows == 1) {
    if (isSigned<W>()) addRowInt8(x, panel, groups, tile);
    else if (ASC_FEATURE_RELAXED_SIMD) addLimbs(x, panel, groups, tile);
    else addRowInt4(x, panel, groups, tile);
  } else if (rows == 2) add2<W>(x, stride, panel, groups, tile);
  else if (rows == 3) add3<W>(x, stride, panel, groups, tile);
  else add4<W>(x, stride, panel, groups, tile);
}
