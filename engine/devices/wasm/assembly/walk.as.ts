// How threads walk a program together. Its table lies in this memory, an entry a call: [kernel's place in the function table,
// address of the call's words]. After each call all threads meet at a barrier.
//
// Where there are several memories, this instance, of the first, walks for all: its function table holds the kernels of the
// others' instances too, and each finds its call's words, at the address it is given, in its own memory.
//
// control block, by word: 0 run number (helpers sleep on it), 1 table, 2 begin, 3 end, 4 place of the call being made,
// and, each on a cache line of its own, 16 threads that arrived, 32 barriers passed (threads sleep on it), 48 how many do,
// 64 how many sleep on the run number. From byte 512 on, the lead keeps the program of a packing call (lead.ts).

// Sleeping and waking go through the caller's Atomics: the baseline compiler of Node 20 gives memory.atomic.wait32 a wrong
// address where that is not a parameter of the function.

import { SCRATCH_BYTES } from "../../../../kernels/call.as";

export { setScratch } from "../../../../kernels/call.as";

/** Atomics.wait on the word at `address` while it is `seen`. */
@external("env", "sleep")
declare function sleep(address: usize, seen: i32): void;

/** Atomics.notify of all who sleep on the word at `address`. */
@external("env", "wake")
declare function wake(address: usize): void;

/**
 * Turns of a waiting loop before a thread sleeps: ten microseconds at a turn a cycle. Waking a thread takes longer than most
 * calls, so that threads that sleep too soon wake each other all the time; where others want the cores, long turns are what a
 * barrier costs.
 */
const SPINS: i32 = 40_000;
/**
 * The same between two runs: thirty microseconds. A caller who awaits each run gives the next after twenty, and a helper that
 * sleeps by then takes twenty-five more to wake. Where others want the cores, turns that are made in vain keep the caller waiting.
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

/** Scratch that each thread needs. */
export function scratchBytes(): usize {
  return SCRATCH_BYTES;
}

/** First address behind the module's own static data. */
export function heapBase(): usize {
  return __heap_base;
}

/** Sleeps until the word at `address`, on which `sleepers` counts who sleeps, is no longer `seen`; first makes so many turns. */
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
    store<u32>(control + PLACE, place); // whoever comes last: it is the same call for all
    call_indirect<void>(load<u32>(entry), <usize>load<u32>(entry, 4), thread, threads);
    if (ASC_FEATURE_THREADS) {
      if (threads > 1) barrier(threads, control);
    }
  }
}

/** Lets the helpers begin what the control block says. */
function summon(control: usize): void {
  atomic.add<i32>(control, 1);
  if (atomic.load<i32>(control + IDLE_SLEEPERS) > 0) wake(control);
}

/** The lead's part: replays calls begin..end of a program with `threads` threads, and returns when all are done. */
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

/** The lead's: all helpers return from `serve`, so that they hear what they are sent. Returns when they have been told. */
export function dismiss(threads: i32, control: usize): void {
  if (ASC_FEATURE_THREADS) {
    store<u32>(control + TABLE, 0);
    summon(control);
    barrier(threads, control);
  }
}

/** A helper's service: sleeps between runs, and takes part in each after number `seen`; returns that of its dismissal. */
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
