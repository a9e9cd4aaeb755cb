// Blocks of columns shared over threads, in f64: first the plain row of a block, then row after row, so that each is read in order.

import { scratchAddress, shareBegin } from "../call.as";
import { CombineRowsCall } from "../calls/combine-rows.as";
import { exp1 } from "../math.as";

const BLOCK: u32 = 512;
const WORDS: usize = 3 * 4; // of a range
const CONSTANT: u32 = 1;
const PROBABILITY: u32 = 2;
const CONFIDENCE: u32 = 3;

@inline
function two(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}

/** Whether the range's rows that are read have sums. */
function isSound(call: CombineRowsCall, begin: u32, end: u32): bool {
  if (isNaN(load<f32>(call.sums + (<usize>begin << 3), 4))) return false;
  for (let k = begin + 1; k < end; k++) {
    if (load<f32>(call.factors + (<usize>k << 2)) == 0) continue;
    if (isNaN(load<f32>(call.sums + (<usize>k << 3), 4))) return false;
  }
  return true;
}

/** sums += factor · shares · (plain - (x - whole)), n numbers in pairs; shares are 1 if `shares` is 0. */
function addTerm(sums: usize, plain: usize, shares: usize, x: usize, n: u32, factor: f64, whole: f64): void {
  const none = f64x2.splat(-Infinity);
  const zero = f64x2.splat(0);
  const factor2 = f64x2.splat(factor);
  const whole2 = f64x2.splat(whole);
  for (let i: usize = 0, end = <usize>n << 3; i < end; i += 16) {
    const other = f64x2.sub(two(x + (i >> 1)), whole2);
    const scaled = shares ? f64x2.mul(factor2, v128.load(shares + i)) : factor2;
    const term = f64x2.mul(scaled, f64x2.sub(v128.load(plain + i), other));
    // what only this row excludes: the limit where that is -Infinity, else nothing
    const isLeftOut = v128.and(f64x2.eq(other, none), f64x2.ge(scaled, zero));
    v128.store(sums + i, f64x2.add(v128.load(sums + i), v128.andnot(term, isLeftOut)));
  }
}

/** Combines n columns; those of an odd n are followed by one that is read as it comes and not written. */
function combineBlock(call: CombineRowsCall, begin: u32, end: u32, rule: u32, column: u32, n: u32, y: usize): void {
  const columns = <usize>call.columns;
  const pairs = (n + 1) & ~1;
  const sums = scratchAddress();
  const plain = sums + (BLOCK << 3);
  const shares = plain + (BLOCK << 3);
  const first = shares + (BLOCK << 3);
  const line = first + (BLOCK << 2);
  const largest = load<f32>(call.sums + (<usize>begin << 3));
  const whole = <f64>load<f32>(call.sums + (<usize>begin << 3), 4);
  let x = call.x + ((<usize>begin * columns + column) << 2);
  if (pairs != n) {
    // the last pair lies half behind the row
    memory.copy(first, x, <usize>n << 2);
    x = first;
  }
  const whole2 = f64x2.splat(whole);
  for (let i: usize = 0, bytes = <usize>pairs << 3; i < bytes; i += 16) {
    const logits = f64x2.sub(two(x + (i >> 1)), whole2);
    v128.store(plain + i, logits);
    v128.store(sums + i, logits);
  }
  if (rule == PROBABILITY) {
    for (let i: usize = 0; i < <usize>n; i++) {
      store<f64>(shares + (i << 3), <f64>exp1(load<f32>(x + (i << 2)) - largest));
    }
  }
  const scale: f64 = rule == CONFIDENCE ? Math.exp(<f64>largest - whole) : 1;
  for (let k = begin + 1; k < end; k++) {
    const factor = <f64>load<f32>(call.factors + (<usize>k << 2));
    if (factor == 0) continue;
    let other = call.x + ((<usize>k * columns + column) << 2);
    if (pairs != n) {
      memory.copy(line, other, <usize>n << 2);
      other = line;
    }
    const otherWhole = <f64>load<f32>(call.sums + (<usize>k << 3), 4);
    addTerm(sums, plain, rule == PROBABILITY ? shares : 0, other, pairs, factor * scale, otherWhole);
  }
  const none = f64x2.splat(-Infinity);
  const target = pairs == n ? y : line;
  for (let i: usize = 0, bytes = <usize>pairs << 3; i < bytes; i += 16) {
    const isExcluded = f64x2.eq(v128.load(plain + i), none);
    const all = v128.bitselect(none, v128.load(sums + i), isExcluded);
    v128.store64_lane(target + (i >> 1), f32x4.demote_f64x2_zero(all), 0);
  }
  if (pairs != n) memory.copy(y, line, <usize>n << 2);
}

export function combineRows(call: CombineRowsCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const blocks = (columns + BLOCK - 1) / BLOCK;
  const last = shareBegin(call.rows * blocks, thread + 1, threads);
  for (let block = shareBegin(call.rows * blocks, thread, threads); block < last; block++) {
    const row = block / blocks;
    const column = (block % blocks) * BLOCK;
    const n = min(BLOCK, columns - column);
    const range = call.ranges + <usize>row * WORDS;
    const begin = load<u32>(range);
    const end = load<u32>(range, 4);
    const rule = load<u32>(range, 8);
    const y = call.y + ((<usize>row * <usize>columns + column) << 2);
    if (rule < CONSTANT) memory.copy(y, call.x + ((<usize>begin * <usize>columns + column) << 2), <usize>n << 2);
    else if (isSound(call, begin, end)) combineBlock(call, begin, end, rule, column, n, y);
    else for (let i: usize = 0; i < <usize>n; i++) store<f32>(y + (i << 2), NaN);
  }
}
