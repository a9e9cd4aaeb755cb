// A layer's cache [slots, 2, kvHeads, headDim] in a device's memory: head after head, each a whole number of 4-byte words.
//
//   f32   one number a word
//   f16   two numbers a word, the earlier one in the lower half
//   int8  four codes a word, then the scales of each 32 numbers, two a word: number = scale · code, code from -127 to 127
//
// A scale is max / 127 rounded to bf16, the upper half of an f32. It has 8 bits, so that scale · code is exact in f32, and the code of
// the largest number is always ±127. Numbers that were read and are stored again give the same words.
//
// NaN and infinities are kept as NaN: all of a head of f16 that has one, or of a group of int8. A device may leave the other numbers of
// a head of f16 as they are.

import { f16ToF32, f32ToF16 } from "../matrix/float16.ts";

/** What one number of a key or value is kept as. */
export type CacheFormat = "f32" | "f16" | "int8";

/** The formats of a cache. */
export const cacheFormats: readonly CacheFormat[] = ["f32", "f16", "int8"];

/** How the numbers of a cache lie in its words. */
export interface CachePacking {
  readonly format: CacheFormat;
  readonly headDim: number;
}

/** Numbers of a head that share a scale in int8. */
export const SCALE_NUMBERS = 32;
/** The largest half; finite numbers beyond it are kept as this. */
export const LARGEST_HALF = 65504;
const LARGEST_CODE = 127;
const NAN_HALF = 0x7e00;
/** Scales below this, the smallest normal f32, are zeros. */
const SMALLEST_SCALE = 2 ** -126;

/** Words that one head's key or value takes. */
export function headWords({ format, headDim }: CachePacking): number {
  switch (format) {
    case "f32":
      return headDim;
    case "f16":
      return Math.ceil(headDim / 2);
    case "int8":
      return codeWords(headDim) + Math.ceil(headDim / (2 * SCALE_NUMBERS));
    default:
      return format satisfies never;
  }
}

/** Bytes of one token's key and value in one layer. */
export function slotBytes(packing: CachePacking, kvHeads: number): number {
  return 2 * kvHeads * headWords(packing) * Uint32Array.BYTES_PER_ELEMENT;
}

/** The words of whole heads. */
export function packHeads(packing: CachePacking, numbers: ArrayLike<number>): Uint32Array {
  const { format, headDim } = packing;
  const perHead = headWords(packing);
  const words = new Uint32Array((numbers.length / headDim) * perHead);
  if (format === "f32") {
    words.set(new Uint32Array(Float32Array.from(numbers).buffer));
    return words;
  }
  for (let begin = 0, at = 0; begin < numbers.length; begin += headDim, at += perHead) {
    if (format === "f16") {
      const isFinite = Number.isFinite(Math.fround(largestOf(numbers, begin, begin + headDim)));
      for (let i = 0; i < headDim; i++) {
        const half = isFinite ? halfOf(numbers[begin + i]!) : NAN_HALF;
        words[at + (i >> 1)]! |= half << ((i & 1) * 16);
      }
      continue;
    }
    for (let first = 0; first < headDim; first += SCALE_NUMBERS) {
      const end = Math.min(headDim, first + SCALE_NUMBERS);
      const scale = scaleOf(numbers, begin + first, begin + end);
      const group = first / SCALE_NUMBERS;
      words[at + codeWords(headDim) + (group >> 1)]! |= bitsOf(scale) << ((group & 1) * 16);
      for (let i = first; i < end; i++) {
        words[at + (i >> 2)]! |= (codeOf(numbers[begin + i]!, scale) & 0xff) << ((i & 3) * 8);
      }
    }
  }
  return words;
}

/** The numbers of whole heads. */
export function unpackHeads(packing: CachePacking, words: Uint32Array): Float32Array {
  const { format, headDim } = packing;
  if (format === "f32") return new Float32Array(words.slice().buffer);
  const perHead = headWords(packing);
  const numbers = new Float32Array((words.length / perHead) * headDim);
  for (let begin = 0, at = 0; begin < numbers.length; begin += headDim, at += perHead) {
    for (let i = 0; i < headDim; i++) {
      if (format === "f16") {
        numbers[begin + i] = f16ToF32((words[at + (i >> 1)]! >>> ((i & 1) * 16)) & 0xffff);
        continue;
      }
      const group = Math.floor(i / SCALE_NUMBERS);
      const scale = bf16((words[at + codeWords(headDim) + (group >> 1)]! >>> ((group & 1) * 16)) & 0xffff);
      numbers[begin + i] = scale * ((words[at + (i >> 2)]! << (24 - (i & 3) * 8)) >> 24);
    }
  }
  return numbers;
}

/** Replaces a head's numbers by what reading gives back after they were stored; f32 is left as it is, f64 or not. */
export function roundHead(format: CacheFormat, head: Float64Array): void {
  if (format === "f32") return;
  const packing = { format, headDim: head.length };
  head.set(unpackHeads(packing, packHeads(packing, head)));
}

/** How far two neighboring numbers that the format can hold lie apart, next to number i of a stored head. */
export function storageStep(format: CacheFormat, head: ArrayLike<number>, i: number): number {
  switch (format) {
    case "f32":
      return 0;
    case "f16":
      // adapters may take halves below 2^-14 for zeros
      return Math.abs(head[i]!) * 2 ** -10 + 2 ** -14;
    case "int8": {
      const first = i - (i % SCALE_NUMBERS);
      return largestOf(head, first, Math.min(head.length, first + SCALE_NUMBERS)) / LARGEST_CODE;
    }
    default:
      return format satisfies never;
  }
}

function codeWords(headDim: number): number {
  return Math.ceil(headDim / 4);
}

function halfOf(value: number): number {
  return f32ToF16(Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, value)));
}

function largestOf(numbers: ArrayLike<number>, begin: number, end: number): number {
  let largest = 0;
  for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(numbers[i]!));
  return largest;
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The upper half of a bf16 number as f32. */
function bitsOf(scale: number): number {
  float[0] = scale;
  return word[0]! >>> 16;
}

function bf16(bits: number): number {
  word[0] = bits << 16;
  return float[0]!;
}

/** max / 127 of numbers begin..end, rounded to the nearest bf16, of two equally near the even one. */
function scaleOf(numbers: ArrayLike<number>, begin: number, end: number): number {
  const largest = largestOf(numbers, begin, end);
  if (!Number.isFinite(Math.fround(largest))) return Number.NaN;
  float[0] = largest / LARGEST_CODE;
  if (float[0] < SMALLEST_SCALE) return 0;
  word[0] = (word[0]! + 0x7fff + ((word[0]! >>> 16) & 1)) & 0xffff0000;
  return float[0];
}

function codeOf(value: number, scale: number): number {
  if (!(scale > 0)) return 0;
  return Math.max(-LARGEST_CODE, Math.min(LARGEST_CODE, Math.floor(value / scale + 0.5)));
}
