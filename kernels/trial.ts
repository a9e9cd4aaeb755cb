// One run of a kernel with a known answer: inputs, and what the f64 reference makes of them. Tests use it for the tables of shapes,
// devices for their known-answer tests, benches for data.
//
// Every array is SLACK numbers longer than the kernel is told, and outputs begin as POISON. What the reference does not write, inside a
// buffer or behind it, must be unchanged afterwards, and what lies behind an input spoils any sum that it enters.

import { headWords, packHeads, storageStep, unpackHeads, type CacheFormat, type CachePacking } from "./cache/cache.ts";
import type { Bound, Floats, Inputs, Kernel, Random, Sample } from "./kernel.ts";
import { decodeWeights, type MatrixFormat, type StoredFormat } from "./matrix/matrix.ts";
import { isQuantized, roundToFormat, type QuantizedFormat } from "./matrix/quantize.ts";

/** Numbers behind the end of every buffer. */
export const SLACK = 16;
/** What outputs and the slack hold before a run; exact in f32, and in no sensible result. */
export const POISON = -(2 ** 100);
/** below 2^24, so that devices which keep integers in f32 give it back */
const POISON_WORD = 0xc0ffee;

/** Random weights as a file would hold them: rows x columns in `format`, row-major. */
export interface TrialMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly format: StoredFormat;
  /** what the device is to make of them; the reference sees them rounded to it */
  readonly quantize?: QuantizedFormat;
  readonly bytes: Uint8Array;
}

/** A kernel, its inputs and its right outputs. */
export interface Trial {
  readonly kernel: Kernel;
  /** f32 parameters are rounded to f32 */
  readonly params: Readonly<Record<string, number>>;
  /** contents before the run, SLACK included, of every buffer that is present and no matrix */
  readonly arrays: Readonly<Record<string, Float32Array | Uint32Array>>;
  readonly matrices: Readonly<Record<string, TrialMatrix>>;
  /** how each cache is packed; its array holds words, as f32 where that is its format */
  readonly packings: Readonly<Record<string, CachePacking>>;
  /** contents after the run, SLACK included, of every buffer that the kernel writes */
  readonly wanted: Readonly<Record<string, Float64Array | Uint32Array>>;
}

/** The first number of an output that is out of bounds. */
export interface Violation {
  readonly buffer: string;
  readonly index: number;
  readonly got: number;
  readonly want: number;
}

/** How far outputs lie from the reference at most. */
export interface TrialError {
  /** |got - want|; NaN where a number is not one */
  readonly largest: number;
  /** the same as a share of what the bound allows there: at most 1 where all is right, Infinity where nothing may differ */
  readonly ofBound: number;
}

/** A repeatable source of numbers: a 32-bit state through Mulberry's mix, normals by Box and Muller. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (below) => Math.floor(uniform() * below),
  };
}

/** A number in one place of a buffer, such as NaN. */
export interface Planted {
  readonly buffer: string;
  /** counted round from the end where it is beyond */
  readonly index: number;
  readonly value: number;
}

/** How a trial is made. */
export interface TrialOptions {
  /** of its matrices and caches */
  readonly format?: MatrixFormat;
  /** false: the reference is not run, and nothing is known of the outputs; for timing large shapes */
  readonly isAnswered?: boolean;
  /** contents of buffers, in place of the kernel's own inputs or random numbers */
  readonly inputs?: Inputs;
  /** a number that is put into a buffer; of a matrix only where it is stored as f32 */
  readonly planted?: Planted;
}

/** Inputs for `kernel` at a sample, and its reference's outputs. Matrices and caches hold numbers that `format` holds exactly. */
export function makeTrial(
  kernel: Kernel,
  sample: Sample,
  random: Random,
  { format = "f32", isAnswered = true, inputs = {}, planted }: TrialOptions = {},
): Trial {
  const params = Object.fromEntries(
    Object.entries(sample.params).map(([name, value]) => [
      name,
      kernel.params[name] === "f32" ? Math.fround(value) : value,
    ]),
  );
  const sizes = kernel.sizes(params);
  const shapes = kernel.matrices?.(params) ?? {};
  const given = { ...kernel.inputs?.(params, random), ...inputs };
  const arrays: Record<string, Float32Array | Uint32Array> = {};
  const matrices: Record<string, TrialMatrix> = {};
  const wanted: Record<string, Float64Array | Uint32Array> = {};
  const reads: Record<string, Floats | Uint32Array> = {};
  const packings: Record<string, CachePacking> = {};
  const packed: Record<string, Uint32Array> = {};

  for (const [name, use] of Object.entries(kernel.buffers)) {
    if (sample.absent?.includes(name)) continue;
    const size = sizes[name]!;
    const plant = (numbers: Floats | Uint32Array) => {
      if (planted?.buffer === name) numbers[planted.index % size] = planted.value;
    };
    if (use.startsWith("matrix")) {
      const [rows, columns] = shapes[name]!;
      const stored = isQuantized(format) ? "f32" : format;
      const bytes = randomWeights(stored, size, random);
      if (stored === "f32") plant(new Float32Array(bytes.buffer, bytes.byteOffset, size));
      const weights = decodeWeights(stored, bytes);
      matrices[name] = { rows, columns, format: stored, bytes, ...(isQuantized(format) ? { quantize: format } : {}) };
      reads[name] = Float64Array.from(isQuantized(format) ? roundToFormat(format, weights, columns) : weights);
      continue;
    }
    if (use.startsWith("cache")) packings[name] = { format: format as CacheFormat, headDim: params["headDim"]! };
    const packing = packings[name];
    if (packing && packing.format !== "f32") {
      const numbers = randomNumbers(size, random);
      plant(numbers);
      const words = packHeads(packing, numbers);
      reads[name] = Float64Array.from(unpackHeads(packing, words));
      arrays[name] = withSlack(words);
      if (use.includes("write")) packed[name] = arrays[name];
      continue;
    }
    const isWord = use.endsWith("u32");
    const array = isWord
      ? new Uint32Array(size + SLACK).fill(POISON_WORD)
      : new Float32Array(size + SLACK).fill(POISON);
    const known = given[name];
    if (known) array.set(known.subarray(0, size));
    else if (!isWord && !use.startsWith("write")) for (let i = 0; i < size; i++) array[i] = random.normal();
    plant(array);
    arrays[name] = array;
    const exact = array instanceof Uint32Array ? array.slice() : Float64Array.from(array);
    reads[name] = exact.subarray(0, size);
    if (use.includes("write") && isAnswered) wanted[name] = exact;
  }
  if (!isAnswered) return { kernel, params, arrays, matrices, packings, wanted };
  const formats = Object.values(packings).map((packing) => packing.format);
  kernel.reference(reads, params, formats[0]);
  for (const name of Object.keys(packed)) wanted[name] = withSlack(packHeads(packings[name]!, reads[name] as Floats));
  return { kernel, params, arrays, matrices, packings, wanted };
}

/**
 * Null if every output lies within `bound` of the reference, NaN and infinities where it has them, and all that it left alone is as it was;
 * otherwise the first number that is not. `got` holds the outputs, with or without their slack.
 */
export function compare(
  { arrays, packings, wanted }: Trial,
  got: Readonly<Record<string, Float32Array | Uint32Array>>,
  bound: Bound,
): Violation | null {
  for (const [buffer, wants] of Object.entries(wanted)) {
    const before = arrays[buffer]!;
    const gots = got[buffer] ?? [];
    const packing = packings[buffer];
    if (packing && packing.format !== "f32") {
      const wrong = compareHeads(packing, before as Uint32Array, wants as Uint32Array, gots as Uint32Array, bound);
      if (wrong) return { buffer, ...wrong };
      continue;
    }
    const length = Math.max(gots.length, wants.length - SLACK);
    for (let index = 0; index < length; index++) {
      const [value, want] = [gots[index], wants[index]!];
      if (isSame(value, want)) continue;
      const isLeftAlone = want === before[index];
      const isNear = Math.abs(value! - want) <= bound.absolute + bound.relative * Math.abs(want);
      if (isLeftAlone || !isNear || !Number.isFinite(want)) return { buffer, index, got: value ?? Number.NaN, want };
    }
  }
  return null;
}

/** Whether two numbers are equal, or both NaN. */
function isSame(got: number | undefined, want: number): boolean {
  return got === want || (Number.isNaN(got) && Number.isNaN(want));
}

/**
 * Numbers of packed heads: as `compare`, a number that was written may also lie a step of its format off, because one that
 * comes out a little different may be rounded the other way. What is behind the heads, and heads left alone, are the same words.
 */
function compareHeads(
  packing: CachePacking,
  before: Uint32Array,
  wants: Uint32Array,
  gots: Uint32Array,
  bound: Bound,
): Omit<Violation, "buffer"> | null {
  const perHead = headWords(packing);
  const heads = Math.floor((wants.length - SLACK) / perHead);
  for (let index = 0; index < Math.max(gots.length, heads * perHead); index++) {
    const head = Math.floor(index / perHead);
    const [begin, end] = [head * perHead, (head + 1) * perHead];
    const isLeftAlone = head >= heads || wants.subarray(begin, end).every((word, i) => word === before[begin + i]);
    if (isLeftAlone && gots[index] !== wants[index]) {
      return { index, got: gots[index] ?? Number.NaN, want: wants[index]! };
    }
    if (isLeftAlone || index > begin) continue;
    const want = unpackHeads(packing, wants.subarray(begin, end));
    const got = unpackHeads(packing, gots.subarray(begin, end));
    for (const [i, value] of want.entries()) {
      const step = storageStep(packing.format, want, i);
      const isNear = Math.abs(got[i]! - value) <= bound.absolute + bound.relative * Math.abs(value) + STEP_ROOM * step;
      if (!isNear) return { index: begin, got: got[i]!, want: value };
    }
  }
  return null;
}

/** A number may be a step off, whose size may itself be rounded the other way. */
const STEP_ROOM = 1 + 2 ** -6;

function withSlack(words: Uint32Array): Uint32Array {
  const longer = new Uint32Array(words.length + SLACK).fill(POISON_WORD);
  longer.set(words);
  return longer;
}

/** Normal numbers, none so small that an adapter may take it for zero when it is stored as f16. */
function randomNumbers(length: number, random: Random): Float32Array {
  const least = 2 ** -10;
  return Float32Array.from({ length }, () => {
    const number = random.normal();
    return Math.abs(number) < least ? least : number;
  });
}

/** The largest error of outputs, slack left out; of packed heads that of their numbers, a step of their format allowed. */
export function errorOf(
  { packings, wanted }: Trial,
  got: Readonly<Record<string, Float32Array | Uint32Array>>,
  bound: Bound,
): TrialError {
  let [largest, ofBound] = [0, 0];
  for (const [buffer, wants] of Object.entries(wanted)) {
    const packing = packings[buffer];
    const isPacked = packing !== undefined && packing.format !== "f32";
    const [numbers, gots] = [wants, got[buffer] ?? []].map((all) => {
      const own = all.slice(0, wants.length - SLACK);
      return isPacked ? unpackHeads(packing, own as Uint32Array) : own;
    }) as [Floats, Floats];
    for (let i = 0; i < numbers.length; i++) {
      const want = numbers[i]!;
      const error = isSame(gots[i], want) ? 0 : Math.abs((gots[i] ?? Number.NaN) - want);
      if (error === 0) continue;
      if (Number.isNaN(error)) return { largest: Number.NaN, ofBound: Number.POSITIVE_INFINITY };
      const head = isPacked ? i - (i % packing.headDim) : 0;
      const step = isPacked ? storageStep(packing.format, numbers.subarray(head, head + packing.headDim), i - head) : 0;
      largest = Math.max(largest, error);
      ofBound = Math.max(ofBound, error / (bound.absolute + bound.relative * Math.abs(want) + STEP_ROOM * step));
    }
  }
  return { largest, ofBound };
}

/** Normal weights in a stored format; one in sixteen is small enough to be subnormal as f16. */
function randomWeights(format: StoredFormat, length: number, random: Random): Uint8Array {
  const values = Float32Array.from({ length }, () => random.normal() * (random.integer(16) === 0 ? 2 ** -17 : 1));
  if (format === "f32") return new Uint8Array(values.buffer);
  const bits = new Uint32Array(values.buffer);
  const halves = Uint16Array.from(bits, (word, i) => (format === "bf16" ? word >>> 16 : halfBits(values[i]!)));
  return new Uint8Array(halves.buffer);
}

/** The bits of the half next to `value` towards zero; |value| < 65536. */
function halfBits(value: number): number {
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = Math.min(2047, Math.floor(magnitude * 2 ** (10 - exponent)));
  const bits = steps < 1024 ? steps : ((exponent + 15) << 10) + (steps - 1024);
  return (value < 0 ? 0x8000 : 0) | bits;
}
