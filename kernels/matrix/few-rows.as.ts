// Few rows times a panel: every weight is read once for all rows. The sums go to a tile [rows][8] in scratch; what is done
// with them (bias, activation, residual) is the caller's. One and two rows keep several sums per output, because a sum
// waits for its own last addition.

import { madd } from "../call.as";
import { firstFour, lastFour, loadFirst, loadLast } from "./weights.as";

/** One row of x, `stride` bytes apart, times a panel: tile[1][8]. */
export function sumPanel1<W>(x: usize, stride: usize, panel: usize, inputs: i32, tile: usize): void {
  let a00 = f32x4.splat(0), b00 = f32x4.splat(0);
  let a01 = f32x4.splat(0), b01 = f32x4.splat(0);
  let a02 = f32x4.splat(0), b02 = f32x4.splat(0);
  let a03 = f32x4.splat(0), b03 = f32x4.splat(0);
  const size = sizeof<W>() << 3;
  const end = x + (<usize>inputs << 2);
  for (; x + 12 < end; x += 16, panel += 4 * size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
    const w1 = loadFirst<W>(panel + 1 * size), v1 = loadLast<W>(panel + 1 * size, w1);
    const p1 = firstFour<W>(w1), q1 = lastFour<W>(v1);
    const s01 = v128.load_splat<f32>(x, 4);
    a01 = madd(s01, p1, a01), b01 = madd(s01, q1, b01);
    const w2 = loadFirst<W>(panel + 2 * size), v2 = loadLast<W>(panel + 2 * size, w2);
    const p2 = firstFour<W>(w2), q2 = lastFour<W>(v2);
    const s02 = v128.load_splat<f32>(x, 8);
    a02 = madd(s02, p2, a02), b02 = madd(s02, q2, b02);
    const w3 = loadFirst<W>(panel + 3 * size), v3 = loadLast<W>(panel + 3 * size, w3);
    const p3 = firstFour<W>(w3), q3 = lastFour<W>(v3);
    const s03 = v128.load_splat<f32>(x, 12);
    a03 = madd(s03, p3, a03), b03 = madd(s03, q3, b03);
  }
  for (; x < end; x += 4, panel += size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
  }
  v128.store(tile, f32x4.add(f32x4.add(a00, a01), f32x4.add(a02, a03)), 0);
  v128.store(tile, f32x4.add(f32x4.add(b00, b01), f32x4.add(b02, b03)), 16);
}

/** 2 rows of x, `stride` bytes apart, times a panel: tile[2][8]. */
export function sumPanel2<W>(x: usize, stride: usize, panel: usize, inputs: i32, tile: usize): void {
  let a00 = f32x4.splat(0), b00 = f32x4.splat(0);
  let a10 = f32x4.splat(0), b10 = f32x4.splat(0);
  let a01 = f32x4.splat(0), b01 = f32x4.splat(0);
  let a11 = f32x4.splat(0), b11 = f32x4.splat(0);
  const x1 = stride * 1;
  const size = sizeof<W>() << 3;
  const end = x + (<usize>inputs << 2);
  for (; x + 4 < end; x += 8, panel += 2 * size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
    const s10 = v128.load_splat<f32>(x + x1, 0);
    a10 = madd(s10, p0, a10), b10 = madd(s10, q0, b10);
    const w1 = loadFirst<W>(panel + 1 * size), v1 = loadLast<W>(panel + 1 * size, w1);
    const p1 = firstFour<W>(w1), q1 = lastFour<W>(v1);
    const s01 = v128.load_splat<f32>(x, 4);
    a01 = madd(s01, p1, a01), b01 = madd(s01, q1, b01);
    const s11 = v128.load_splat<f32>(x + x1, 4);
    a11 = madd(s11, p1, a11), b11 = madd(s11, q1, b11);
  }
  for (; x < end; x += 4, panel += size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
    const s10 = v128.load_splat<f32>(x + x1, 0);
    a10 = madd(s10, p0, a10), b10 = madd(s10, q0, b10);
  }
  v128.store(tile, f32x4.add(a00, a01), 0);
  v128.store(tile, f32x4.add(b00, b01), 16);
  v128.store(tile, f32x4.add(a10, a11), 32);
  v128.store(tile, f32x4.add(b10, b11), 48);
}

/** 3 rows of x, `stride` bytes apart, times a panel: tile[3][8]. */
export function sumPanel3<W>(x: usize, stride: usize, panel: usize, inputs: i32, tile: usize): void {
  let a00 = f32x4.splat(0), b00 = f32x4.splat(0);
  let a10 = f32x4.splat(0), b10 = f32x4.splat(0);
  let a20 = f32x4.splat(0), b20 = f32x4.splat(0);
  const x1 = stride * 1;
  const x2 = stride * 2;
  const size = sizeof<W>() << 3;
  const end = x + (<usize>inputs << 2);
  for (; x < end; x += 4, panel += size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
    const s10 = v128.load_splat<f32>(x + x1, 0);
    a10 = madd(s10, p0, a10), b10 = madd(s10, q0, b10);
    const s20 = v128.load_splat<f32>(x + x2, 0);
    a20 = madd(s20, p0, a20), b20 = madd(s20, q0, b20);
  }
  v128.store(tile, a00, 0);
  v128.store(tile, b00, 16);
  v128.store(tile, a10, 32);
  v128.store(tile, b10, 48);
  v128.store(tile, a20, 64);
  v128.store(tile, b20, 80);
}

/** 4 rows of x, `stride` bytes apart, times a panel: tile[4][8]. */
export function sumPanel4<W>(x: usize, stride: usize, panel: usize, inputs: i32, tile: usize): void {
  let a00 = f32x4.splat(0), b00 = f32x4.splat(0);
  let a10 = f32x4.splat(0), b10 = f32x4.splat(0);
  let a20 = f32x4.splat(0), b20 = f32x4.splat(0);
  let a30 = f32x4.splat(0), b30 = f32x4.splat(0);
  const x1 = stride * 1;
  const x2 = stride * 2;
  const x3 = stride * 3;
  const size = sizeof<W>() << 3;
  const end = x + (<usize>inputs << 2);
  for (; x < end; x += 4, panel += size) {
    const w0 = loadFirst<W>(panel + 0 * size), v0 = loadLast<W>(panel + 0 * size, w0);
    const p0 = firstFour<W>(w0), q0 = lastFour<W>(v0);
    const s00 = v128.load_splat<f32>(x, 0);
    a00 = madd(s00, p0, a00), b00 = madd(s00, q0, b00);
    const s10 = v128.load_splat<f32>(x + x1, 0);
    a10 = madd(s10, p0, a10), b10 = madd(s10, q0, b10);
    const s20 = v128.load_splat<f32>(x + x2, 0);
    a20 = madd(s20, p0, a20), b20 = madd(s20, q0, b20);
    const s30 = v128.load_splat<f32>(x + x3, 0);
    a30 = madd(s30, p0, a30), b30 = madd(s30, q0, b30);
  }
  v128.store(tile, a00, 0);
  v128.store(tile, b00, 16);
  v128.store(tile, a10, 32);
  v128.store(tile, b10, 48);
  v128.store(tile, a20, 64);
  v128.store(tile, b20, 80);
  v128.store(tile, a30, 96);
  v128.store(tile, b30, 112);
}

/** One to four rows of x times a panel. */
// @ts-ignore: decorator
@inline
export function sumPanel<W>(rows: u32, x: usize, stride: usize, panel: usize, inputs: i32, tile: usize): void {
  if (rows == 1) sumPanel1<W>(x, stride, panel, inputs, tile);
  else if (rows == 2) sumPanel2<W>(x, stride, panel, inputs, tile);
  else if (rows == 3) sumPanel3<W>(x, stride, panel, inputs, tile);
  else sumPanel4<W>(x, stride, panel, inputs, tile);
}
