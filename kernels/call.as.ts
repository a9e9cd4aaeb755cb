// What kernels in AssemblyScript share: how threads divide a call's work, scratch memory, and sums of vectors.
//
// A kernel is an exported function (call, thread, threads), which every thread runs. `call` is an object of a class in
// kernels/calls/, which build/calls.mjs generates from the kernel's definition: addresses of buffers, then parameters.

/**
 * Where the share of `thread` begins when `count` things are divided in order; it ends where the next thread's begins.
 * A single thing belongs to thread 0, which is awake already.
 */
@inline
export function shareBegin(count: u32, thread: i32, threads: i32): u32 {
  return <u32>((<u64>count * <u64>thread + <u64>(threads - 1)) / <u64>threads);
}

/** Words that all threads of a memory share: portions taken of the current call, and threads that found none left. */
const TAKEN: usize = memory.data(64, 64);
const FINISHED: usize = 4;

/**
 * Takes the next portion of work and returns its number, ascending from 0. A thread that gets a number beyond the last portion is
 * done and calls `doneTaking`. A thread that loses its core takes fewer portions; with `shareBegin` all others would wait for it.
 */
@inline
export function takeNext(): u32 {
  if (ASC_FEATURE_THREADS) return atomic.add<u32>(TAKEN, 1);
  const next = load<u32>(TAKEN);
  store<u32>(TAKEN, next + 1);
  return next;
}

/** The size of a part when `count` things, 1 or more, are cut into the fewest parts of at most `most`, all about equal. */
@inline
export function evenPart(count: u32, most: u32): u32 {
  const parts = max<u32>(1, (count + most - 1) / most);
  return (count + parts - 1) / parts;
}

/** Size of a portion of `count` things: at most an eighth of a thread's share, so that no thread waits long for the last one. */
@inline
export function portionOf(count: u32, threads: i32): u32 {
  return max<u32>(1, count / (<u32>threads << 3));
}

/** Ends a thread's part in a call; the last thread resets the counters for the next call. */
@inline
export function doneTaking(threads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (atomic.add<i32>(TAKEN + FINISHED, 1) != threads - 1) return;
  }
  store<u64>(TAKEN, 0);
}

/** Bytes that each thread has to itself for intermediate results; the device gives them out through `setScratch`. */
export const SCRATCH_BYTES: usize = 768 * 1024;

let scratch: usize = 0;

/** Tells this thread's instance where its scratch bytes lie, aligned to 64. */
export function setScratch(address: usize): void {
  scratch = address;
}

/** This thread's scratch bytes. */
@inline
export function scratchAddress(): usize {
  return scratch;
}

/** a · b + c: rounded once in the relaxed modules, twice in the plain ones. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** The sum of the four lanes. */
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, f32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The largest of the four lanes. */
@inline
export function maxLanes(v: v128): f32 {
  const pairs = f32x4.max(v, f32x4.shuffle(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** The dot product of n f32 numbers. */
export function dot(a: usize, b: usize, n: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const at = <usize>i << 2;
    s0 = madd(v128.load(a + at), v128.load(b + at), s0);
    s1 = madd(v128.load(a + at, 16), v128.load(b + at, 16), s1);
  }
  let sum = sumLanes(f32x4.add(s0, s1));
  for (; i < n; i++) {
    const at = <usize>i << 2;
    sum += load<f32>(a + at) * load<f32>(b + at);
  }
  return sum;
}
