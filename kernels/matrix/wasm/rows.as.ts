// One to four rows of x times a panel, each weight read once for all rows; sums are added to a tile [rows][8].
//
// The loops are short because V8 keeps everything that a loop's body loads in registers until the end of the body. Eight sums of four
// rows, two vectors of weights and four numbers of x are what sixteen registers hold. Longer bodies, or six rows, spill sums to memory
// and take up to three times as long.

import { madd } from "../../call.as";
import { firstFour, lastFour, loadFirst, loadLast } from "./eight-weights.as";

/**
 * tile [1][8] += a row of x times `count` columns of a panel. A sum waits for its own last addition, so several are kept:
 * of three columns, or of two where widening (f16) takes registers.
 */
export function addRow1<W>(x: usize, panel: usize, count: i32, tile: usize): void {
  let a = v128.load(tile), b = v128.load(tile, 16);
  let a1 = f32x4.splat(0), b1 = f32x4.splat(0), a2 = f32x4.splat(0), b2 = f32x4.splat(0);
  const size = sizeof<W>() << 3, end = x + (<usize>count << 2);
  const isF16 = isInteger<W>() && isSigned<W>();
  if (!isF16) {
    for (; x + 8 < end; x += 12, panel += 3 * size) {
      const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
      const s = v128.load_splat<f32>(x);
      a = madd(s, firstFour<W>(w), a), b = madd(s, lastFour<W>(v), b);
      const w1 = loadFirst<W>(panel + size), v1 = loadLast<W>(panel + size, w1);
      const s1 = v128.load_splat<f32>(x, 4);
      a1 = madd(s1, firstFour<W>(w1), a1), b1 = madd(s1, lastFour<W>(v1), b1);
      const w2 = loadFirst<W>(panel + 2 * size), v2 = loadLast<W>(panel + 2 * size, w2);
      const s2 = v128.load_splat<f32>(x, 8);
      a2 = madd(s2, firstFour<W>(w2), a2), b2 = madd(s2, lastFour<W>(v2), b2);
    }
  }
  for (; x + 4 < end; x += 8, panel += 2 * size) {
    const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
    const s = v128.load_splat<f32>(x);
    a = madd(s, firstFour<W>(w), a), b = madd(s, lastFour<W>(v), b);
    const w1 = loadFirst<W>(panel + size), v1 = loadLast<W>(panel + size, w1);
    const s1 = v128.load_splat<f32>(x, 4);
    a1 = madd(s1, firstFour<W>(w1), a1), b1 = madd(s1, lastFour<W>(v1), b1);
  }
  for (; x < end; x += 4, panel += size) {
    const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
    const s = v128.load_splat<f32>(x);
    a = madd(s, firstFour<W>(w), a), b = madd(s, lastFour<W>(v), b);
  }
  v128.store(tile, f32x4.add(f32x4.add(a, a1), a2));
  v128.store(tile, f32x4.add(f32x4.add(b, b1), b2), 16);
}

/**
 * tile [2][8] += 2 rows of x, `stride` bytes apart, times `count` columns of a panel. Four sums would wait for their own last
 * additions: even and odd columns have sums of their own. The `break` between them keeps the two halves apart, each with a few
 * registers for what it loads; as one body they would spill.
 */
export function addRows2<W>(x: usize, stride: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile, 0), b0 = v128.load(tile, 16);
  let a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let c0 = f32x4.splat(0), d0 = f32x4.splat(0), c1 = f32x4.splat(0), d1 = f32x4.splat(0);
  const x1 = stride;
  const size = sizeof<W>() << 3, end = x + (<usize>count << 2);
  while (x < end) {
    const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
    const p = firstFour<W>(w), q = lastFour<W>(v);
    const s0 = v128.load_splat<f32>(x);
    a0 = madd(s0, p, a0), b0 = madd(s0, q, b0);
    const s1 = v128.load_splat<f32>(x + x1);
    a1 = madd(s1, p, a1), b1 = madd(s1, q, b1);
    x += 4, panel += size;
    if (x >= end) break;
    const w_ = loadFirst<W>(panel), v_ = loadLast<W>(panel, w_);
    const p_ = firstFour<W>(w_), q_ = lastFour<W>(v_);
    const t0 = v128.load_splat<f32>(x);
    c0 = madd(t0, p_, c0), d0 = madd(t0, q_, d0);
    const t1 = v128.load_splat<f32>(x + x1);
    c1 = madd(t1, p_, c1), d1 = madd(t1, q_, d1);
    x += 4, panel += size;
  }
  v128.store(tile, f32x4.add(a0, c0));
  v128.store(tile, f32x4.add(b0, d0), 16);
  v128.store(tile, f32x4.add(a1, c1), 32);
  v128.store(tile, f32x4.add(b1, d1), 48);
}

/** tile [3][8] += 3 rows of x, `stride` bytes apart, times `count` columns of a panel. */
export function addRows3<W>(x: usize, stride: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile, 0), b0 = v128.load(tile, 16);
  let a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80);
  const x1 = stride, x2 = stride * 2;
  const size = sizeof<W>() << 3, end = x + (<usize>count << 2);
  for (; x < end; x += 4, panel += size) {
    const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
    const p = firstFour<W>(w), q = lastFour<W>(v);
    const s0 = v128.load_splat<f32>(x);
    a0 = madd(s0, p, a0), b0 = madd(s0, q, b0);
    const s1 = v128.load_splat<f32>(x + x1);
    a1 = madd(s1, p, a1), b1 = madd(s1, q, b1);
    const s2 = v128.load_splat<f32>(x + x2);
    a2 = madd(s2, p, a2), b2 = madd(s2, q, b2);
  }
  v128.store(tile, a0);
  v128.store(tile, b0, 16);
  v128.store(tile, a1, 32);
  v128.store(tile, b1, 48);
  v128.store(tile, a2, 64);
  v128.store(tile, b2, 80);
}

/** tile [4][8] += 4 rows of x, `stride` bytes apart, times `count` columns of a panel. */
export function addRows4<W>(x: usize, stride: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile, 0), b0 = v128.load(tile, 16);
  let a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80);
  let a3 = v128.load(tile, 96), b3 = v128.load(tile, 112);
  const x1 = stride, x2 = stride * 2, x3 = stride * 3;
  const size = sizeof<W>() << 3, end = x + (<usize>count << 2);
  for (; x < end; x += 4, panel += size) {
    const w = loadFirst<W>(panel), v = loadLast<W>(panel, w);
    const p = firstFour<W>(w), q = lastFour<W>(v);
    const s0 = v128.load_splat<f32>(x);
    a0 = madd(s0, p, a0), b0 = madd(s0, q, b0);
    const s1 = v128.load_splat<f32>(x + x1);
    a1 = madd(s1, p, a1), b1 = madd(s1, q, b1);
    const s2 = v128.load_splat<f32>(x + x2);
    a2 = madd(s2, p, a2), b2 = madd(s2, q, b2);
    const s3 = v128.load_splat<f32>(x + x3);
    a3 = madd(s3, p, a3), b3 = madd(s3, q, b3);
  }
  v128.store(tile, a0);
  v128.store(tile, b0, 16);
  v128.store(tile, a1, 32);
  v128.store(tile, b1, 48);
  v128.store(tile, a2, 64);
  v128.store(tile, b2, 80);
  v128.store(tile, a3, 96);
  v128.store(tile, b3, 112);
}

/** tile [rows][8] += one to four rows of x, `stride` bytes apart, times `count` columns of a panel. */
@inline
export function addRows<W>(rows: u32, x: usize, stride: usize, panel: usize, count: i32, tile: usize): void {
  if (rows == 1) addRow1<W>(x, panel, count, tile);
  else if (rows == 2) addRows2<W>(x, stride, panel, count, tile);
  else if (rows == 3) addRows3<W>(x, stride, panel, count, tile);
  else addRows4<W>(x, stride, panel, count, tile);
}
