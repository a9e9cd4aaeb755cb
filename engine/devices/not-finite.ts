// Finds stored weights that are NaN or infinite. Millions are looked at while a model loads, so halves are taken two at a time.

import { bytesPerWeight, decodeWeights, type StoredFormat } from "../../kernels/index.ts";

/**
 * Exponents of all ones are those of NaN and infinities. Of words shifted right by one, so that engines keep them as small integers:
 * the exponents' bits, what carries a full exponent over into the bit above it, and those bits.
 */
const EXPONENTS = {
  f32: [0x3fc0_0000, 0x0040_0000, 0x4000_0000],
  f16: [0x3e00_3e00, 0x0200_0200, 0x4000_4000],
  bf16: [0x3fc0_3fc0, 0x0040_0040, 0x4000_4000],
} as const;

/** The place of the first NaN or infinity among stored weights; -1 where all are finite. */
export function placeOfNotFinite(format: StoredFormat, bytes: Uint8Array): number {
  const isAligned = bytes.byteOffset % 4 === 0 && bytes.byteLength % 4 === 0;
  if (isAligned && !hasFullExponent(format, bytes)) return -1;
  return decodeWeights(format, bytes.slice()).findIndex((weight) => !Number.isFinite(weight));
}

function hasFullExponent(format: StoredFormat, bytes: Uint8Array): boolean {
  const [exponents, step, carried] = EXPONENTS[format];
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const carryOf = (word: number) => ((word >> 1) & exponents) + step;
  const whole = words.length & ~3;
  // several sums, so that none waits for its own last addition
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a |= carryOf(words[i]!);
    b |= carryOf(words[i + 1]!);
    c |= carryOf(words[i + 2]!);
    d |= carryOf(words[i + 3]!);
  }
  for (let i = whole; i < words.length; i++) a |= carryOf(words[i]!);
  return ((a | b | c | d) & carried) !== 0;
}

/** A weight that is NaN or infinite, for messages. */
export function weightAt(format: StoredFormat, bytes: Uint8Array, place: number): number {
  const size = bytesPerWeight(format);
  return decodeWeights(format, bytes.slice(place * size, (place + 1) * size))[0]!;
}
