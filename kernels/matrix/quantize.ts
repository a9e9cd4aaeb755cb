// Quantization: 32 neighboring weights of a row share a scale, and in int4 a minimum; each weight is a small whole number q.
//
//   int8  w = scale · q        q from -127 to 127, scale = max|w| / 127         34 bytes for 32 weights
//   int4  w = scale · q + min  q from 0 to 15, scale and min by least squares   20 bytes for 32 weights
//
// Scales and minima are halves. scale · q is exact in f32 and the sum is rounded once, so that every device decodes the same numbers.
// Columns beyond the matrix's last have q = 0; in int4 they decode to the group's minimum, and kernels leave them out.
//
// This file is the definition. Its arithmetic is f32 throughout, and sums over a group are made in four lanes (weights i, i + 4, ...),
// so that quantize.as.ts gives the same bits with vectors of four.

import { f16Table, f32ToF16 } from "./float16.ts";

/** Formats that are made of stored weights when a matrix is packed. */
export type QuantizedFormat = "int8" | "int4";

/** Weights of a row that share a scale. */
export const GROUP_COLUMNS = 32;
const LARGEST_HALF = 65504;
/** Steps into which the range of an int4 group is tried to be cut; more than 15 clips both ends a little. */
const TRIED_STEPS = [13.8, 14.4, 15, 15.6, 16.2].map(Math.fround);

const f32 = Math.fround;
/** Storing into these rounds to f32. */
const centered = new Float32Array(GROUP_COLUMNS);
const [sumsW, sumsQW] = [new Float32Array(4), new Float32Array(4)];

/** The sum of four lanes, in the order of the vector kernels. */
function sumLanes(lanes: Float32Array): number {
  return f32(f32(lanes[0]! + lanes[2]!) + f32(lanes[1]! + lanes[3]!));
}

/** One group: its whole numbers, and the bits of its halves. */
export interface QuantizedGroup {
  readonly codes: Int8Array;
  scale: number;
  minimum: number;
}

/** A group of zeros, to be filled by `quantizeGroup`. */
export function emptyGroup(): QuantizedGroup {
  return { codes: new Int8Array(GROUP_COLUMNS), scale: 0, minimum: 0 };
}

/** True if weights are made into this format rather than stored in it. */
export function isQuantized(format: string): format is QuantizedFormat {
  return format === "int8" || format === "int4";
}

/** Quantizes weights begin..end, at most 32. A NaN among them makes the scale NaN. */
export function quantizeGroup(
  format: QuantizedFormat,
  weights: Float32Array,
  begin: number,
  end: number,
  group: QuantizedGroup,
): void {
  group.codes.fill(0);
  if (format === "int8") quantizeInt8(weights, begin, end, group);
  else quantizeInt4(weights, begin, end, group);
}

function quantizeInt8(weights: Float32Array, begin: number, end: number, group: QuantizedGroup): void {
  let largest = 0;
  for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(weights[i]!));
  group.scale = f32ToF16(Math.min(f32(largest / 127), LARGEST_HALF));
  const scale = f16Table()[group.scale]!;
  if (scale === 0) return;
  const inverse = f32(1 / scale);
  for (let i = begin; i < end; i++) {
    group.codes[i - begin] = Math.max(-127, Math.min(127, Math.floor(f32(f32(weights[i]! * inverse) + 0.5))));
  }
}

/** What an int4 code is at a place 0..16 between least and most. */
function codeAt(place: number): number {
  return place >= 15 ? 15 : place > 0 ? Math.floor(place) : 0;
}

/**
 * For a few ways of cutting up the range: the codes, then by least squares the scale and minimum that suit those best.
 * The pair with the smallest squared error is rounded to halves, and the codes are taken once more for it.
 */
function quantizeInt4(weights: Float32Array, begin: number, end: number, group: QuantizedGroup): void {
  let [least, most] = [weights[begin]!, weights[begin]!];
  for (let i = begin + 1; i < end; i++) {
    least = Math.min(least, weights[i]!);
    most = Math.max(most, weights[i]!);
  }
  const count = end - begin;
  const center = f32(f32(least + most) * 0.5);
  const range = f32(most - least);
  sumsW.fill(0);
  for (let i = 0; i < count; i++) {
    const w = f32(weights[begin + i]! - center);
    centered[i] = w;
    sumsW[i & 3]! += w;
  }
  const sumW = sumLanes(sumsW);
  let [bestScale, bestMinimum, bestGain] = [f32(range / 15), least, -1];
  for (const steps of TRIED_STEPS) {
    const inverse = f32(steps / range);
    let [sumQ, sumQQ] = [0, 0]; // whole numbers below 2^24: exact
    sumsQW.fill(0);
    for (let i = 0; i < count; i++) {
      const w = centered[i]!;
      // 7.5 is the middle of 0..15, and half a step more rounds
      const q = codeAt(f32(f32(w * inverse) + 8));
      sumQ += q;
      sumQQ += q * q;
      sumsQW[i & 3]! += f32(q * w);
    }
    const sumQW = sumLanes(sumsQW);
    const spread = count * sumQQ - sumQ * sumQ;
    if (!(spread > 0)) continue;
    const scale = f32(f32(f32(count * sumQW) - f32(sumQ * sumW)) / spread);
    const minimum = f32(f32(sumW - f32(scale * sumQ)) / count);
    const gain = f32(f32(scale * sumQW) + f32(minimum * sumW)); // what the fit takes off the sum of squares
    if (gain > bestGain) [bestScale, bestMinimum, bestGain] = [scale, f32(minimum + center), gain];
  }
  const halves = f16Table();
  group.scale = f32ToF16(Math.min(bestScale, LARGEST_HALF));
  group.minimum = f32ToF16(Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, bestMinimum)));
  const [scale, minimum] = [halves[group.scale]!, halves[group.minimum]!];
  if (scale === 0) return;
  const inverse = f32(1 / scale);
  for (let i = begin; i < end; i++) {
    group.codes[i - begin] = codeAt(f32(f32(f32(weights[i]! - minimum) * inverse) + 0.5));
  }
}

/** Replaces weights [rows, columns] by what they are after quantization. */
export function roundToFormat(format: QuantizedFormat, weights: Float32Array, columns: number): Float32Array {
  const rounded = new Float32Array(weights.length);
  const group = emptyGroup();
  const halves = f16Table();
  for (let line = 0; line < weights.length; line += columns) {
    for (let begin = line; begin < line + columns; begin += GROUP_COLUMNS) {
      const end = Math.min(begin + GROUP_COLUMNS, line + columns);
      quantizeGroup(format, weights, begin, end, group);
      const [scale, minimum] = [halves[group.scale]!, halves[group.minimum]!];
      const base = format === "int4" ? minimum : 0;
      for (let i = begin; i < end; i++) rounded[i] = scale * group.codes[i - begin]! + base;
    }
  }
  return rounded;
}
