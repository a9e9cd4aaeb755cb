// How threads run a program together. Its table is in this memory, an entry for each call: [index of the kernel in the function
// table, address of the call's words]. After each call all threads meet at a barrier.
//
// Where there are several memories, this instance, of the first memory, runs the program for all: its function table holds the
// kernels of the other instances too, and each reads its call's words, at the given address, in its own memory.
//
// control block, by word: 0 run number (helpers sleep on it), 1 table, 2 begin, 3 end, 4 index of the current call,
// and, each on a cache line of its own, 16 threads that arrived, 32 barriers passed (threads sleep on it), 48 number of threads
// that do, 64 number of helpers that sleep on the run number. From byte 512 on, the leader keeps the program of a packing call.

// Sleeping and waking use the caller's Atomics, because the baseline compiler of Node 20 passes a wrong address to
// memory.atomic.wait32 unless the address is a parameter of the function.

import { SCRATCH_BYTES } from "../../../../kernels/call.as";

export { setScratch } from "../../../../kernels/call.as";

/** Atomics.wait on the word at `address` while it is `seen`. */
@external("env", "sleep")
declare function sleep(address: usize, seen: i32): void;

/** Atomics.notify of all threads that sleep on the word at `address`. */
@external("env", "wake")
declare function wake(address: usize): void;

/**
 * Turns of a waiting loop before a thread sleeps: ten microseconds at one turn a cycle. Waking a thread takes longer than most
 * calls, so threads that sleep too early wake each other all the time. Where other programs want the cores, each barrier costs
 * this many turns.
 */
const SPINS: i32 = 40_000;
/**
 * The same between two runs: thirty microseconds. A caller that awaits each run starts the next after about twenty, and a helper
 * that sleeps by then needs twenty-five more to wake. Where other programs want the cores, useless turns delay the caller.
 */
const IDLE_SPINS: i32 = 120_000;
const TABLE: usize = 4;
const BEGIN: usize = 8;
const END: usize = 12;
const PLACE: usize = 16;
const ARRIVED: usize = 64;
const PASSED: usize = 128;
const SLEEPERS: usize = 192;
const IDLE_SLEEPERS: usize = 256;

/** Bytes of scratch that each thread needs. */
export function scratchBytes(): usize {
  return SCRATCH_BYTES;
}

/** First address behind the module's own static data. */
export function heapBase(): usize {
  return __heap_base;
}

/** Waits until the word at `address` is no longer `seen`: first for `spins` turns, then asleep, counted in the word at `sleepers`. */
function waitWhile(address: usize, seen: i32, sleepers: usize, spins: i32): void {
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(address) != seen) return;
  }
  atomic.add<i32>(sleepers, 1);
  while (atomic.load<i32>(address) == seen) sleep(address, seen);
  atomic.sub<i32>(sleepers, 1);
}

function barrier(threads: i32, control: usize): void {
  const passed = atomic.load<i32>(control + PASSED);
  if (atomic.add<i32>(control + ARRIVED, 1) != threads - 1) {
    waitWhile(control + PASSED, passed, control + SLEEPERS, SPINS);
    return;
  }
  atomic.store<i32>(control + ARRIVED, 0);
  atomic.store<i32>(control + PASSED, passed + 1);
  if (atomic.load<i32>(control + SLEEPERS) > 0) wake(control + PASSED);
}

function walk(thread: i32, threads: i32, control: usize): void {
  const table = <usize>load<u32>(control + TABLE);
  const end = load<u32>(control + END);
  for (let place = load<u32>(control + BEGIN); place < end; place++) {
    const entry = table + ((<usize>place) << 3);
    store<u32>(control + PLACE, place); // all threads write the same index
    call_indirect<void>(load<u32>(entry), <usize>load<u32>(entry, 4), thread, threads);
    if (ASC_FEATURE_THREADS) {
      if (threads > 1) barrier(threads, control);
    }
  }
}

/** Starts the helpers on what the control block says. */
function summon(control: usize): void {
  atomic.add<i32>(control, 1);
  if (atomic.load<i32>(control + IDLE_SLEEPERS) > 0) wake(control);
}

/** Called by the leader: replays calls begin..end of a program with `threads` threads, and returns when all are done. */
export function replay(table: usize, begin: u32, end: u32, threads: i32, control: usize): void {
  store<u32>(control + TABLE, table);
  store<u32>(control + BEGIN, begin);
  store<u32>(control + END, end);
  if (begin >= end) return;
  if (ASC_FEATURE_THREADS) {
    if (threads > 1) summon(control);
  }
  walk(0, threads, control);
}

/** Called by the leader: all helpers return from `serve`, so that they receive messages. Returns when they have left the loop. */
export function dismiss(threads: i32, control: usize): void {
  if (ASC_FEATURE_THREADS) {
    store<u32>(control + TABLE, 0);
    summon(control);
    barrier(threads, control);
  }
}

/** A helper's loop: takes part in every run after number `seen` and sleeps between runs; returns the number at which it was dismissed. */
export function serve(thread: i32, threads: i32, control: usize, seen: i32): i32 {
  if (ASC_FEATURE_THREADS) {
    for (;; seen++) {
      waitWhile(control, seen, control + IDLE_SLEEPERS, IDLE_SPINS);
      if (load<u32>(control + TABLE) == 0) {
        barrier(threads, control);
        return seen + 1;
      }
      walk(thread, threads, control);
    }
  }
  return seen;
}
