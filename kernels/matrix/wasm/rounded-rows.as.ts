// Rounds rows of x to 16 bits in groups of 32: x = step · q, step = max|x| / 32767. Each thread does it once for all of its panels, in
// its scratch. The prefetch of the next panel is here too.
//
//   scratch      two tiles [4][8] · a word that is never read · rounded rows
//   rounded row  [groups] of: 32 q as i16 · step as f32 · step · sum(q) as f32; columns beyond the last are zeros
//
// Numbers have the order of the format's codes: ascending for int8 (W is i8); for int4 (u8) the even columns of each eight, then the
// odd ones, so that masked words of a panel line up with their columns.

import { maxLanes, SCRATCH_BYTES, scratchAddress, sumLanes } from "../../call.as";

/** Bytes of a rounded group of x. */
export const GROUP: usize = 72;
/** Matrices from this size on may be prefetched; smaller ones stay in a core's own caches. */
const PREFETCH_BYTES: usize = 256 * 1024;
const LINE: usize = 64;
/** Bytes of scratch before the rounded rows: two tiles [4][8], and a word that is never read. */
const TILES: usize = 272;
const LOADED: usize = 256;

/** Where the rounded rows lie. */
@inline
export function roundedAddress(): usize {
  return scratchAddress() + TILES;
}

/** How many rows of x, at most four, fit the scratch when rounded. */
export function rowsAtOnce(inputs: i32): u32 {
  const row = <usize>((inputs + 31) >> 5) * GROUP;
  return max<u32>(1, min<u32>(4, <u32>((SCRATCH_BYTES - TILES) / row)));
}

/** Rounds rows of x [rows][inputs], to `to`. */
export function roundRows<W>(x: usize, rows: u32, inputs: i32, to: usize): void {
  for (let row: u32 = 0; row < rows; row++) {
    for (let left = inputs; left > 0; left -= 32, to += GROUP) {
      const count = min(32, left);
      if (count == 32) roundWhole<W>(x, to);
      else roundPart<W>(x, count, to);
      x += <usize>count << 2;
    }
  }
}

/** The largest of 32 numbers without their signs. */
@inline
export function largestOfGroup(x: usize): f32 {
  let most = f32x4.splat(0);
  for (let at = x; at < x + 128; at += 32) {
    most = f32x4.max(most, f32x4.max(f32x4.abs(v128.load(at)), f32x4.abs(v128.load(at, 16))));
  }
  return maxLanes(most);
}

/** Eight numbers of a group, times `inverse`, as i16: adding 1.5 · 2^23 rounds, and leaves the number in the lowest bits. */
@inline
export function roundEight<W>(x: usize, inverse: v128): v128 {
  const shift = f32x4.splat(12582912);
  const first = f32x4.add(f32x4.mul(v128.load(x), inverse), shift);
  const last = f32x4.add(f32x4.mul(v128.load(x, 16), inverse), shift);
  return isSigned<W>()
    ? i16x8.shuffle(first, last, 0, 2, 4, 6, 8, 10, 12, 14)
    : i16x8.shuffle(first, last, 0, 4, 8, 12, 2, 6, 10, 14);
}

/** Place of column `i` of a group. */
@inline
function placeOf<W>(i: usize): usize {
  return isSigned<W>() ? i : (i & ~7) + ((i & 7) >> 1) + ((i & 1) << 2);
}

/** A group of 32, as roundPart. */
function roundWhole<W>(x: usize, to: usize): void {
  const largest = largestOfGroup(x);
  const step: f32 = largest / 32767;
  const inverse = f32x4.splat(largest > 0 ? <f32>32767 / largest : 0);
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  for (let i: usize = 0; i < 64; i += 16) {
    const eight = roundEight<W>(x + (i << 1), inverse);
    v128.store(to + i, eight);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(eight, ones));
  }
  store<f32>(to, step, 64);
  store<f32>(to, step * sumLanes(f32x4.convert_i32x4_s(sums)), 68);
}

/** A last group of fewer columns. */
function roundPart<W>(x: usize, count: i32, to: usize): void {
  const end = x + (<usize>count << 2);
  let largest: f32 = 0;
  for (let at = x; at < end; at += 4) largest = max(largest, abs(load<f32>(at)));
  const step: f32 = largest / 32767;
  const inverse: f32 = largest > 0 ? <f32>32767 / largest : 0;
  let sum: i32 = 0;
  memory.fill(to, 0, 64);
  for (let i: usize = 0; x < end; x += 4, i++) {
    const q = <i32>max<f32>(-32767, min<f32>(32767, nearest(load<f32>(x) * inverse)));
    store<i16>(to + (placeOf<W>(i) << 1), <i16>q);
    sum += q;
  }
  store<f32>(to, step, 64);
  store<f32>(to, step * <f32>sum, 68);
}

/** Prefetches a panel: loads a word of each of its cache lines. */
export function prefetch(panel: usize, bytes: usize): void {
  let sum: i32 = 0;
  for (const end = panel + bytes; panel < end; panel += LINE) sum ^= load<i32>(panel);
  store<i32>(scratchAddress() + LOADED, sum); // keeps the compiler from removing the loads
}

/** True for matrices of a size for which prefetching can pay. */
@inline
export function isBeyondCaches(bytes: usize): bool {
  return bytes >= PREFETCH_BYTES;
}
