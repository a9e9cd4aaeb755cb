// Packs rows of x in blocks of six or four, the numbers of a column side by side, and multiplies a block by a panel. 6 x 8 sums stay in
// twelve of sixteen registers, and one pointer each into x and the panel is all that the loop needs. So it has loads and multiply-adds
// only: a processor that does two loads and two multiply-adds a cycle does both in every cycle.
//
//   block   [columns][6 or 4]; missing rows of a last block are zeros, and its tile has room for them

import { madd } from "../../call.as";

/** Rows of a block. Without relaxed SIMD products take registers, too, so that only four rows fit. */
export const BLOCK_ROWS: u32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;

/** Rows of the next block when `left` rows are left: 6, or 4 where that leaves fewer rows empty. */
@inline
export function blockRows(left: u32): u32 {
  return left < 5 || left == 7 || left == 8 ? 4 : BLOCK_ROWS;
}

/** Packs rows of x [rows][inputs]. */
export function packBlocks(x: usize, rows: u32, inputs: u32, to: usize): void {
  const stride = <usize>inputs << 2;
  while (rows > 0) {
    const size = blockRows(rows);
    const count = min(size, rows);
    if (count < size) memory.fill(to, 0, stride * size);
    if (count == size) packWhole(x, size, inputs, to);
    else for (let row: u32 = 0; row < count; row++) packPart(x + <usize>row * stride, inputs, 0, size, to + (<usize>row << 2));
    x += stride * count;
    to += stride * size;
    rows -= count;
  }
}

/** A row's columns from `column` on, to every `size`-th place from the block's row on. */
function packPart(x: usize, inputs: u32, column: u32, size: u32, to: usize): void {
  const step = <usize>size << 2;
  to += <usize>column * step;
  for (; column < inputs; column++, to += step) store<f32>(to, load<f32>(x + (<usize>column << 2)));
}

/** All rows of a block, four columns at a time. */
function packWhole(x: usize, size: u32, inputs: u32, block: usize): void {
  const stride = <usize>inputs << 2, step = <usize>size << 2;
  let column: u32 = 0;
  let to = block;
  for (let at = x; column + 4 <= inputs; column += 4, at += 16, to += step << 2) {
    const a = v128.load(at), b = v128.load(at + stride);
    const c = v128.load(at + stride * 2), d = v128.load(at + stride * 3);
    const low = f32x4.shuffle(a, b, 0, 4, 1, 5), high = f32x4.shuffle(a, b, 2, 6, 3, 7);
    const low_ = f32x4.shuffle(c, d, 0, 4, 1, 5), high_ = f32x4.shuffle(c, d, 2, 6, 3, 7);
    v128.store(to, f32x4.shuffle(low, low_, 0, 1, 4, 5));
    v128.store(to + step, f32x4.shuffle(low, low_, 2, 3, 6, 7));
    v128.store(to + step * 2, f32x4.shuffle(high, high_, 0, 1, 4, 5));
    v128.store(to + step * 3, f32x4.shuffle(high, high_, 2, 3, 6, 7));
    if (size == 4) continue;
    const e = v128.load(at + stride * 4), f = v128.load(at + stride * 5);
    const first = f32x4.shuffle(e, f, 0, 4, 1, 5), last = f32x4.shuffle(e, f, 2, 6, 3, 7);
    v128.store64_lane(to, first, 0, 16), v128.store64_lane(to + step, first, 1, 16);
    v128.store64_lane(to + step * 2, last, 0, 16), v128.store64_lane(to + step * 3, last, 1, 16);
  }
  if (column == inputs) return;
  for (let row: u32 = 0; row < size; row++) packPart(x + <usize>row * stride, inputs, column, size, block + (<usize>row << 2));
}

/** tile [6][8] += a block of six rows times `count` columns of a panel of f32. */
function addBlock6(x: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile), b0 = v128.load(tile, 16), a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80), a3 = v128.load(tile, 96), b3 = v128.load(tile, 112);
  let a4 = v128.load(tile, 128), b4 = v128.load(tile, 144), a5 = v128.load(tile, 160), b5 = v128.load(tile, 176);
  for (const end = panel + (<usize>count << 5); panel < end; panel += 32, x += 24) {
    const w = v128.load(panel), v = v128.load(panel, 16);
    const s0 = v128.load_splat<f32>(x);
    a0 = madd(s0, w, a0), b0 = madd(s0, v, b0);
    const s1 = v128.load_splat<f32>(x, 4);
    a1 = madd(s1, w, a1), b1 = madd(s1, v, b1);
    const s2 = v128.load_splat<f32>(x, 8);
    a2 = madd(s2, w, a2), b2 = madd(s2, v, b2);
    const s3 = v128.load_splat<f32>(x, 12);
    a3 = madd(s3, w, a3), b3 = madd(s3, v, b3);
    const s4 = v128.load_splat<f32>(x, 16);
    a4 = madd(s4, w, a4), b4 = madd(s4, v, b4);
    const s5 = v128.load_splat<f32>(x, 20);
    a5 = madd(s5, w, a5), b5 = madd(s5, v, b5);
  }
  v128.store(tile, a0), v128.store(tile, b0, 16), v128.store(tile, a1, 32), v128.store(tile, b1, 48);
  v128.store(tile, a2, 64), v128.store(tile, b2, 80), v128.store(tile, a3, 96), v128.store(tile, b3, 112);
  v128.store(tile, a4, 128), v128.store(tile, b4, 144), v128.store(tile, a5, 160), v128.store(tile, b5, 176);
}

/** tile [4][8] += a block of four rows times `count` columns of a panel of f32. */
function addBlock4(x: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile), b0 = v128.load(tile, 16), a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80), a3 = v128.load(tile, 96), b3 = v128.load(tile, 112);
  for (const end = panel + (<usize>count << 5); panel < end; panel += 32, x += 16) {
    const w = v128.load(panel), v = v128.load(panel, 16);
    const s0 = v128.load_splat<f32>(x);
    a0 = madd(s0, w, a0), b0 = madd(s0, v, b0);
    const s1 = v128.load_splat<f32>(x, 4);
    a1 = madd(s1, w, a1), b1 = madd(s1, v, b1);
    const s2 = v128.load_splat<f32>(x, 8);
    a2 = madd(s2, w, a2), b2 = madd(s2, v, b2);
    const s3 = v128.load_splat<f32>(x, 12);
    a3 = madd(s3, w, a3), b3 = madd(s3, v, b3);
  }
  v128.store(tile, a0), v128.store(tile, b0, 16), v128.store(tile, a1, 32), v128.store(tile, b1, 48);
  v128.store(tile, a2, 64), v128.store(tile, b2, 80), v128.store(tile, a3, 96), v128.store(tile, b3, 112);
}

/**
 * tile [rows][8] += packed rows' columns from `begin` on, `count` of them, times as many columns of a panel of f32. The tile
 * has room for the rows that the last block lacks. (Each kind of block is called from two places, so that it stays a function
 * of its own: within these loops V8 would run out of registers.)
 */
export function addBlocks(blocks: usize, rows: i32, inputs: u32, begin: u32, weights: usize, count: i32, tile: usize): void {
  const column = <usize>inputs << 2, at = <usize>begin << 2;
  if (ASC_FEATURE_RELAXED_SIMD) {
    for (; rows == 6 || rows > 8; rows -= 6, blocks += column * 6, tile += 192) {
      addBlock6(blocks + at * 6, weights, count, tile);
    }
    if (rows == 5) {
      addBlock6(blocks + at * 6, weights, count, tile);
      return;
    }
  }
  for (; rows > 4; rows -= 4, blocks += column * 4, tile += 128) addBlock4(blocks + at * 4, weights, count, tile);
  if (rows > 0) addBlock4(blocks + at * 4, weights, count, tile);
}
