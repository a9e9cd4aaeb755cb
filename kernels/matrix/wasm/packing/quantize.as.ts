// quantize.ts with vectors of four weights, to the same bits: f32 throughout, and sums over a group in four lanes that are added in the
// order of `sumLanes`. In a group of fewer than 32 weights the missing ones are masked and count as q = 0 and w = 0.
//
//   group  32 weights as f32, then room for 32 codes of a byte, then the bits of scale and minimum

import { sumLanes } from "../../../call.as";

/** Bytes from a group's weights to its codes, scale and minimum, and of all of it. */
export const CODES: usize = 128;
export const SCALE: usize = 160;
export const MINIMUM: usize = 162;
export const GROUP_BYTES: usize = 192;

const LARGEST_HALF: f32 = 65504;

/** The bits of the half next to an f32 number, of two equally near the even one; from 65520 on infinity. */
function halfOf(value: f32): u16 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x477ff000) return <u16>(sign | 0x7c00);
  if (magnitude < 0x38800000) return <u16>(sign | (reinterpret<u32>(abs(value) + <f32>0.5) - 0x3f000000));
  return <u16>(sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13));
}

/** The number that finite bits of a half stand for. */
function ofHalf(half: u16): f32 {
  const bits = (<i32>(<u32>half << 16) >> 3) & 0x8fffe000;
  return reinterpret<f32>(bits) * <f32>5192296858534827628530496329220096.0;
}

/** All ones in the lanes of weights i.. that there are. */
@inline
function present(i: i32, count: i32): v128 {
  return i32x4.lt_s(i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3)), i32x4.splat(count));
}

/** Writes four codes as bytes. */
@inline
function storeCodes(to: usize, codes: v128): void {
  const narrow = i16x8.narrow_i32x4_s(codes, codes);
  v128.store_lane<u32>(to, i8x16.narrow_i16x8_s(narrow, narrow), 0);
}

/** Codes -127..127 and a scale for the weights of a group. */
export function quantizeInt8(group: usize, count: i32): void {
  let largest = f32x4.splat(0);
  for (let i = 0; i < count; i += 4) {
    const w = v128.load(group + (<usize>i << 2));
    largest = f32x4.max(largest, v128.and(f32x4.abs(w), present(i, count)));
  }
  const pairs = f32x4.max(largest, f32x4.shuffle(largest, largest, 2, 3, 0, 1));
  const most = max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
  const half = halfOf(min(<f32>(most / 127), LARGEST_HALF));
  store<u16>(group, half, SCALE);
  memory.fill(group + CODES, 0, 32);
  const scale: f32 = isNaN(most) ? most : ofHalf(half);
  if (scale == 0) return;
  const inverse = f32x4.splat(<f32>1 / scale);
  for (let i = 0; i < count; i += 4) {
    const place = f32x4.add(f32x4.mul(v128.load(group + (<usize>i << 2)), inverse), f32x4.splat(0.5));
    const code = f32x4.max(f32x4.splat(-127), f32x4.min(f32x4.splat(127), f32x4.floor(place)));
    storeCodes(group + CODES + i, v128.and(i32x4.trunc_sat_f32x4_s(code), present(i, count)));
  }
}

/** Codes 0..15 of places 0..16; 0 for NaN. */
@inline
function codesAt(place: v128): v128 {
  return i32x4.trunc_sat_f32x4_u(f32x4.min(place, f32x4.splat(15)));
}

let bestScale: f32 = 0;
let bestMinimum: f32 = 0;
let bestGain: f32 = 0;

/** Cuts the range of centered weights into `steps`, and keeps the fit if it is the best so far. */
function tryCut(group: usize, count: i32, steps: f32, range: f32, center: f32, sumW: f32): void {
  const inverse = f32x4.splat(steps / range);
  let sumsQ = i32x4.splat(0), sumsQQ = i32x4.splat(0), sumsQW = f32x4.splat(0);
  for (let i = 0; i < count; i += 4) {
    const w = v128.load(group + (<usize>i << 2));
    const q = v128.and(codesAt(f32x4.add(f32x4.mul(w, inverse), f32x4.splat(8))), present(i, count));
    sumsQ = i32x4.add(sumsQ, q);
    sumsQQ = i32x4.add(sumsQQ, i32x4.dot_i16x8_s(q, q));
    sumsQW = f32x4.add(sumsQW, f32x4.mul(f32x4.convert_i32x4_s(q), w));
  }
  const sumQ = sumWhole(sumsQ);
  const sumQW = sumLanes(sumsQW);
  const spread = <f32>(count * sumWhole(sumsQQ) - sumQ * sumQ);
  if (!(spread > 0)) return;
  const scale: f32 = (<f32>count * sumQW - <f32>sumQ * sumW) / spread;
  const minimum: f32 = (sumW - scale * <f32>sumQ) / <f32>count;
  const gain: f32 = scale * sumQW + minimum * sumW;
  if (!(gain > bestGain)) return;
  bestScale = scale;
  bestMinimum = minimum + center;
  bestGain = gain;
}

@inline
function sumWhole(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/** Codes 0..15, a scale and a minimum for the weights of a group; `centered` is room for 32 numbers. */
export function quantizeInt4(group: usize, count: i32, centered: usize): void {
  const first = v128.load32_splat(group);
  let least = first, most = first;
  for (let i = 0; i < count; i += 4) {
    const w = v128.bitselect(v128.load(group + (<usize>i << 2)), first, present(i, count));
    least = f32x4.min(least, w);
    most = f32x4.max(most, w);
  }
  least = f32x4.min(least, f32x4.shuffle(least, least, 2, 3, 0, 1));
  most = f32x4.max(most, f32x4.shuffle(most, most, 2, 3, 0, 1));
  const low: f32 = min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1));
  const high: f32 = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  const center: f32 = (low + high) * 0.5;
  const range: f32 = high - low;
  let sumsW = f32x4.splat(0);
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i << 2;
    const w = v128.and(f32x4.sub(v128.load(group + at), f32x4.splat(center)), present(i, count));
    v128.store(centered + at, w);
    sumsW = f32x4.add(sumsW, w);
  }
  const sumW = sumLanes(sumsW);
  bestScale = range / 15, bestMinimum = low, bestGain = -1;
  tryCut(centered, count, 13.8, range, center, sumW);
  tryCut(centered, count, 14.4, range, center, sumW);
  tryCut(centered, count, 15, range, center, sumW);
  tryCut(centered, count, 15.6, range, center, sumW);
  tryCut(centered, count, 16.2, range, center, sumW);
  const scaleBits = halfOf(min(bestScale, LARGEST_HALF));
  const minimumBits = halfOf(max(-LARGEST_HALF, min(LARGEST_HALF, bestMinimum)));
  store<u16>(group, scaleBits, SCALE);
  store<u16>(group, minimumBits, MINIMUM);
  memory.fill(group + CODES, 0, 32);
  const scale: f32 = isNaN(bestScale) ? bestScale : ofHalf(scaleBits);
  if (scale == 0) return;
  const minimum = f32x4.splat(isNaN(bestMinimum) ? bestMinimum : ofHalf(minimumBits)), inverse = f32x4.splat(<f32>1 / scale);
  for (let i = 0; i < count; i += 4) {
    const place = f32x4.mul(f32x4.sub(v128.load(group + (<usize>i << 2)), minimum), inverse);
    const q = codesAt(f32x4.add(place, f32x4.splat(0.5)));
    storeCodes(group + CODES + i, v128.and(q, present(i, count)));
  }
}
