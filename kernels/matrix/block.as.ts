// The inner loops of many rows times a panel: six (or four) rows by eight outputs, whose twelve sums, two vectors of
// weights and one number of x fill the sixteen vector registers. Rows are packed as [columns][6 or 4], so that both
// operands are read front to back.

import { madd } from "../call.as";

/** Adds 6 packed rows times `count` columns of an f32 panel to tile[6][8]. */
function addBlock6(a: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile, 0), b0 = v128.load(tile, 16);
  let a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80);
  let a3 = v128.load(tile, 96), b3 = v128.load(tile, 112);
  let a4 = v128.load(tile, 128), b4 = v128.load(tile, 144);
  let a5 = v128.load(tile, 160), b5 = v128.load(tile, 176);
  const end = panel + (<usize>count << 5);
  for (; panel + 96 < end; a += 96, panel += 128) {
    const w0 = v128.load(panel, 0), v0 = v128.load(panel, 16);
    let s0: v128;
    s0 = v128.load_splat<f32>(a, 0), a0 = madd(s0, w0, a0), b0 = madd(s0, v0, b0);
    s0 = v128.load_splat<f32>(a, 4), a1 = madd(s0, w0, a1), b1 = madd(s0, v0, b1);
    s0 = v128.load_splat<f32>(a, 8), a2 = madd(s0, w0, a2), b2 = madd(s0, v0, b2);
    s0 = v128.load_splat<f32>(a, 12), a3 = madd(s0, w0, a3), b3 = madd(s0, v0, b3);
    s0 = v128.load_splat<f32>(a, 16), a4 = madd(s0, w0, a4), b4 = madd(s0, v0, b4);
    s0 = v128.load_splat<f32>(a, 20), a5 = madd(s0, w0, a5), b5 = madd(s0, v0, b5);
    const w1 = v128.load(panel, 32), v1 = v128.load(panel, 48);
    let s1: v128;
    s1 = v128.load_splat<f32>(a, 24), a0 = madd(s1, w1, a0), b0 = madd(s1, v1, b0);
    s1 = v128.load_splat<f32>(a, 28), a1 = madd(s1, w1, a1), b1 = madd(s1, v1, b1);
    s1 = v128.load_splat<f32>(a, 32), a2 = madd(s1, w1, a2), b2 = madd(s1, v1, b2);
    s1 = v128.load_splat<f32>(a, 36), a3 = madd(s1, w1, a3), b3 = madd(s1, v1, b3);
    s1 = v128.load_splat<f32>(a, 40), a4 = madd(s1, w1, a4), b4 = madd(s1, v1, b4);
    s1 = v128.load_splat<f32>(a, 44), a5 = madd(s1, w1, a5), b5 = madd(s1, v1, b5);
    const w2 = v128.load(panel, 64), v2 = v128.load(panel, 80);
    let s2: v128;
    s2 = v128.load_splat<f32>(a, 48), a0 = madd(s2, w2, a0), b0 = madd(s2, v2, b0);
    s2 = v128.load_splat<f32>(a, 52), a1 = madd(s2, w2, a1), b1 = madd(s2, v2, b1);
    s2 = v128.load_splat<f32>(a, 56), a2 = madd(s2, w2, a2), b2 = madd(s2, v2, b2);
    s2 = v128.load_splat<f32>(a, 60), a3 = madd(s2, w2, a3), b3 = madd(s2, v2, b3);
    s2 = v128.load_splat<f32>(a, 64), a4 = madd(s2, w2, a4), b4 = madd(s2, v2, b4);
    s2 = v128.load_splat<f32>(a, 68), a5 = madd(s2, w2, a5), b5 = madd(s2, v2, b5);
    const w3 = v128.load(panel, 96), v3 = v128.load(panel, 112);
    let s3: v128;
    s3 = v128.load_splat<f32>(a, 72), a0 = madd(s3, w3, a0), b0 = madd(s3, v3, b0);
    s3 = v128.load_splat<f32>(a, 76), a1 = madd(s3, w3, a1), b1 = madd(s3, v3, b1);
    s3 = v128.load_splat<f32>(a, 80), a2 = madd(s3, w3, a2), b2 = madd(s3, v3, b2);
    s3 = v128.load_splat<f32>(a, 84), a3 = madd(s3, w3, a3), b3 = madd(s3, v3, b3);
    s3 = v128.load_splat<f32>(a, 88), a4 = madd(s3, w3, a4), b4 = madd(s3, v3, b4);
    s3 = v128.load_splat<f32>(a, 92), a5 = madd(s3, w3, a5), b5 = madd(s3, v3, b5);
  }
  for (; panel < end; a += 24, panel += 32) {
    const w0 = v128.load(panel, 0), v0 = v128.load(panel, 16);
    let s0: v128;
    s0 = v128.load_splat<f32>(a, 0), a0 = madd(s0, w0, a0), b0 = madd(s0, v0, b0);
    s0 = v128.load_splat<f32>(a, 4), a1 = madd(s0, w0, a1), b1 = madd(s0, v0, b1);
    s0 = v128.load_splat<f32>(a, 8), a2 = madd(s0, w0, a2), b2 = madd(s0, v0, b2);
    s0 = v128.load_splat<f32>(a, 12), a3 = madd(s0, w0, a3), b3 = madd(s0, v0, b3);
    s0 = v128.load_splat<f32>(a, 16), a4 = madd(s0, w0, a4), b4 = madd(s0, v0, b4);
    s0 = v128.load_splat<f32>(a, 20), a5 = madd(s0, w0, a5), b5 = madd(s0, v0, b5);
  }
  v128.store(tile, a0, 0), v128.store(tile, b0, 16);
  v128.store(tile, a1, 32), v128.store(tile, b1, 48);
  v128.store(tile, a2, 64), v128.store(tile, b2, 80);
  v128.store(tile, a3, 96), v128.store(tile, b3, 112);
  v128.store(tile, a4, 128), v128.store(tile, b4, 144);
  v128.store(tile, a5, 160), v128.store(tile, b5, 176);
}

/** Adds 4 packed rows times `count` columns of an f32 panel to tile[4][8]. */
function addBlock4(a: usize, panel: usize, count: i32, tile: usize): void {
  let a0 = v128.load(tile, 0), b0 = v128.load(tile, 16);
  let a1 = v128.load(tile, 32), b1 = v128.load(tile, 48);
  let a2 = v128.load(tile, 64), b2 = v128.load(tile, 80);
  let a3 = v128.load(tile, 96), b3 = v128.load(tile, 112);
  const end = panel + (<usize>count << 5);
  for (; panel + 96 < end; a += 64, panel += 128) {
    const w0 = v128.load(panel, 0), v0 = v128.load(panel, 16);
    let s0: v128;
    s0 = v128.load_splat<f32>(a, 0), a0 = madd(s0, w0, a0), b0 = madd(s0, v0, b0);
    s0 = v128.load_splat<f32>(a, 4), a1 = madd(s0, w0, a1), b1 = madd(s0, v0, b1);
    s0 = v128.load_splat<f32>(a, 8), a2 = madd(s0, w0, a2), b2 = madd(s0, v0, b2);
    s0 = v128.load_splat<f32>(a, 12), a3 = madd(s0, w0, a3), b3 = madd(s0, v0, b3);
    const w1 = v128.load(panel, 32), v1 = v128.load(panel, 48);
    let s1: v128;
    s1 = v128.load_splat<f32>(a, 16), a0 = madd(s1, w1, a0), b0 = madd(s1, v1, b0);
    s1 = v128.load_splat<f32>(a, 20), a1 = madd(s1, w1, a1), b1 = madd(s1, v1, b1);
    s1 = v128.load_splat<f32>(a, 24), a2 = madd(s1, w1, a2), b2 = madd(s1, v1, b2);
    s1 = v128.load_splat<f32>(a, 28), a3 = madd(s1, w1, a3), b3 = madd(s1, v1, b3);
    const w2 = v128.load(panel, 64), v2 = v128.load(panel, 80);
    let s2: v128;
    s2 = v128.load_splat<f32>(a, 32), a0 = madd(s2, w2, a0), b0 = madd(s2, v2, b0);
    s2 = v128.load_splat<f32>(a, 36), a1 = madd(s2, w2, a1), b1 = madd(s2, v2, b1);
    s2 = v128.load_splat<f32>(a, 40), a2 = madd(s2, w2, a2), b2 = madd(s2, v2, b2);
    s2 = v128.load_splat<f32>(a, 44), a3 = madd(s2, w2, a3), b3 = madd(s2, v2, b3);
    const w3 = v128.load(panel, 96), v3 = v128.load(panel, 112);
    let s3: v128;
    s3 = v128.load_splat<f32>(a, 48), a0 = madd(s3, w3, a0), b0 = madd(s3, v3, b0);
    s3 = v128.load_splat<f32>(a, 52), a1 = madd(s3, w3, a1), b1 = madd(s3, v3, b1);
    s3 = v128.load_splat<f32>(a, 56), a2 = madd(s3, w3, a2), b2 = madd(s3, v3, b2);
    s3 = v128.load_splat<f32>(a, 60), a3 = madd(s3, w3, a3), b3 = madd(s3, v3, b3);
  }
  for (; panel < end; a += 16, panel += 32) {
    const w0 = v128.load(panel, 0), v0 = v128.load(panel, 16);
    let s0: v128;
    s0 = v128.load_splat<f32>(a, 0), a0 = madd(s0, w0, a0), b0 = madd(s0, v0, b0);
    s0 = v128.load_splat<f32>(a, 4), a1 = madd(s0, w0, a1), b1 = madd(s0, v0, b1);
    s0 = v128.load_splat<f32>(a, 8), a2 = madd(s0, w0, a2), b2 = madd(s0, v0, b2);
    s0 = v128.load_splat<f32>(a, 12), a3 = madd(s0, w0, a3), b3 = madd(s0, v0, b3);
  }
  v128.store(tile, a0, 0), v128.store(tile, b0, 16);
  v128.store(tile, a1, 32), v128.store(tile, b1, 48);
  v128.store(tile, a2, 64), v128.store(tile, b2, 80);
  v128.store(tile, a3, 96), v128.store(tile, b3, 112);
}

/** Adds `height` (6 or 4) packed rows times `count` columns of an f32 panel to tile[height][8]. */
// @ts-ignore: decorator
@inline
export function addBlock(height: u32, a: usize, panel: usize, count: i32, tile: usize): void {
  if (height == 6) addBlock6(a, panel, count, tile);
  else addBlock4(a, panel, count, tile);
}
