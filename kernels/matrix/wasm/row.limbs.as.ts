// One row of x times a panel of int4 in bytes, for modules with relaxed SIMD. A number of x is two signed limbs of 8 bits,
// x = step · (256 · high + low). i16x8.relaxed_dot_i8x16_i7x16_s multiplies sixteen of them by sixteen codes, where i32x4.dot_i16x8
// makes eight products, and fewer instructions unpack the codes. On x86 it is one instruction.
//
//   row   [groups] of: 32 high limbs · 32 low limbs · step as f32 · step · sum(q) as f32
//
// Codes are at most 15, so that every processor gives the same result (the sum of two products fits 16 bits, and the second operand has
// 7), and the sum over a group fits 16 bits: 16 · 128 · 15 = 30720.

import { madd, sumLanes } from "../../call.as";
import { GROUP, largestOfGroup, roundEight } from "./rounded-rows.as";
import { firstHalves, lastHalves } from "./weights.quantized.as";

/** The largest q whose limbs both have 8 bits with a sign: 127 · 256 + 127. */
const LARGEST: f32 = 32639;

/** Rounds a row of x [inputs] and takes it apart, to `to`. */
export function roundLimbs(x: usize, inputs: i32, to: usize): void {
  for (; inputs >= 32; inputs -= 32, x += 128, to += GROUP) roundGroup(x, to);
  if (inputs == 0) return;
  // a last group of fewer columns, with zeros behind them
  const whole = to + GROUP;
  memory.fill(whole, 0, 128);
  memory.copy(whole, x, <usize>inputs << 2);
  roundGroup(whole, to);
}

function roundGroup(x: usize, to: usize): void {
  const largest = largestOfGroup(x);
  const step: f32 = largest / LARGEST;
  const inverse = f32x4.splat(largest > 0 ? LARGEST / largest : 0);
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  for (let i: usize = 0; i < 32; i += 16) {
    const a = roundEight<i8>(x + (i << 2), inverse), b = roundEight<i8>(x + (i << 2) + 32, inverse);
    sums = i32x4.add(sums, i32x4.add(i32x4.dot_i16x8_s(a, ones), i32x4.dot_i16x8_s(b, ones)));
    const lowA = i16x8.shr_s(i16x8.shl(a, 8), 8), lowB = i16x8.shr_s(i16x8.shl(b, 8), 8);
    const highA = i16x8.shr_s(i16x8.sub(a, lowA), 8), highB = i16x8.shr_s(i16x8.sub(b, lowB), 8);
    v128.store(to + i, i8x16.narrow_i16x8_s(highA, highB));
    v128.store(to + i, i8x16.narrow_i16x8_s(lowA, lowB), 32);
  }
  store<f32>(to, step, 64);
  store<f32>(to, step * sumLanes(f32x4.convert_i32x4_s(sums)), 68);
}

@inline
function dot(limbs: v128, codes: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(limbs, codes);
}

/** 256 · high + low, each lane the sum of two neighboring ones. */
@inline
function join(high: v128, low: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(high, i16x8.splat(256)), i32x4.dot_i16x8_s(low, i16x8.splat(1)));
}

/** tile [8] += a row of limbs times the groups of an int4 panel. */
export function addLimbs(x: usize, panel: usize, groups: i32, tile: usize): void {
  let first = v128.load(tile), last = v128.load(tile, 16);
  const mask = i8x16.splat(15);
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP, panel += 160) {
    let a = i16x8.splat(0), b = i16x8.splat(0), c = i16x8.splat(0), d = i16x8.splat(0);
    let at = panel + 32;
    for (let from = x; from < x + 32; from += 8, at += 32) {
      const high = v128.load_splat<i32>(from), low = v128.load_splat<i32>(from, 32);
      const p = v128.load(at), q = v128.load(at, 16);
      const p0 = v128.and(p, mask), q0 = v128.and(q, mask);
      a = i16x8.add(a, dot(high, p0)), b = i16x8.add(b, dot(high, q0));
      c = i16x8.add(c, dot(low, p0)), d = i16x8.add(d, dot(low, q0));
      const high1 = v128.load_splat<i32>(from, 4), low1 = v128.load_splat<i32>(from, 36);
      const p1 = v128.and(i16x8.shr_u(p, 4), mask), q1 = v128.and(i16x8.shr_u(q, 4), mask);
      a = i16x8.add(a, dot(high1, p1)), b = i16x8.add(b, dot(high1, q1));
      c = i16x8.add(c, dot(low1, p1)), d = i16x8.add(d, dot(low1, q1));
    }
    const step = v128.load_splat<f32>(x, 64), sum = v128.load_splat<f32>(x, 68);
    first = madd(f32x4.mul(f32x4.convert_i32x4_s(join(a, c)), step), firstHalves(panel), first);
    last = madd(f32x4.mul(f32x4.convert_i32x4_s(join(b, d)), step), lastHalves(panel), last);
    first = madd(firstHalves(panel + 16), sum, first), last = madd(lastHalves(panel + 16), sum, last);
  }
  v128.store(tile, first), v128.store(tile, last, 16);
}
