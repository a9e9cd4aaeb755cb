// Seeded random numbers: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
// arXiv 1805.01407; https://prng.di.unimi.it). It uses 32-bit arithmetic only, so that every
// JavaScript engine gives the same numbers. Each row of a batch has a generator of its own.

/** Largest seed: seeds are whole numbers that a JavaScript number holds exactly. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** A source of numbers in [0, 1), each a multiple of 2^-53. */
export type Uniform = () => number;

const GOLDEN = 0x9e3779b9;

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** The xoshiro128** generator from its raw state: a function that returns the next unsigned 32-bit number. Throws RangeError on a state of zeros. */
export function xoshiro128(s0: number, s1: number, s2: number, s3: number): () => number {
  if ((s0 | s1 | s2 | s3) === 0) throw new RangeError("xoshiro128** cannot start from a state of four zeros");
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotateLeft(s3, 11);
    return result;
  };
}

/** Hashes words to 32 bits with MurmurHash3's finalizer after each, so that neighboring seeds share nothing. */
function hash(salt: number, words: readonly number[]): number {
  let h = Math.imul(salt, GOLDEN);
  for (const word of words) {
    h = Math.imul(h ^ word, 5) + GOLDEN;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h;
}

function seedWords(seed: number): [low: number, high: number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`seed is ${seed}: it must be a whole number from 0 to ${MAX_SEED}`);
  }
  return [seed | 0, Math.floor(seed / 2 ** 32) | 0];
}

/** The random numbers of a seed; the same seed gives the same numbers everywhere. Throws RangeError on a seed outside 0..2^53-1. */
export function createRandom(seed: number): Uniform {
  const words = seedWords(seed);
  // The last word is never 0, so neither is the state.
  const next = xoshiro128(hash(1, words), hash(2, words), hash(3, words), hash(4, words) | 1);
  return () => {
    const high = next() >>> 5;
    const low = next() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  };
}

/**
 * The seed of one sample of a prompt. Sample 0 has the run's own seed, so that it equals the plain run; a plain run with
 * `rowSeed(seed, n)` equals sample n. The rest of the batch has no influence: a prompt gives the same text alone and in a batch, and a
 * prompt given twice gives the same text twice. Throws RangeError on a seed outside 0..2^53-1.
 */
export function rowSeed(seed: number, sample: number): number {
  const words = seedWords(seed);
  if (sample === 0) return seed;
  const high = hash(5, [...words, sample]) & 0x1fffff;
  const low = hash(6, [...words, sample]) >>> 0;
  return high * 2 ** 32 + low;
}

/** A random seed, for runs without one. */
export function anySeed(): number {
  return Math.floor(Math.random() * 2 ** 53);
}
