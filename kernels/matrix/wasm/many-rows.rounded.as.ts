// Many rows times panels of quantized weights, in whole numbers. x is rounded as for few rows (rounded-rows), and a piece of a panel is
// widened to 16 bits once for all rows of a chunk. One i32x4.dot_i16x8 then multiplies two columns of four weights: twice as many
// products as a multiply-add in f32.
//
//   scratch   tiles [MOST_ROWS][8], two of them · widened groups · rounded rows
//   widened   [8] scales and [8] minima as f32 · codes as i16 [16 pairs of columns][8 rows][2]

import { evenPart, SCRATCH_BYTES, scratchAddress } from "../../call.as";
import { GROUP } from "./rounded-rows.as";
import { addMinimum, dotAdd, finishRow } from "./group-sums.as";
import { firstHalves, lastHalves } from "./weights.quantized.as";

/** Rows of a chunk at most: what its tiles have room for. */
const MOST_ROWS: u32 = 256;
const TILE_BYTES: usize = 8 * 1024;
/** Groups of a panel that are widened and used at a time: they stay in the first-level cache. */
const PIECE: i32 = 16;
const WIDE: usize = 576;
const ROWS_BEGIN: usize = 2 * TILE_BYTES + <usize>PIECE * WIDE;
/** Bytes of a chunk's rounded rows. */
const CHUNK_BYTES: usize = SCRATCH_BYTES - ROWS_BEGIN;

/** Where tile 0 or 1 lies: [rows of the chunk][8]. */
@inline
export function roundedTile(which: usize): usize {
  return scratchAddress() + which * TILE_BYTES;
}

/** Where the chunk's rounded rows lie. */
@inline
export function roundedChunk(): usize {
  return scratchAddress() + ROWS_BEGIN;
}

/** How many rounded rows to take at once, a multiple of four where more than four fit. */
export function roundedChunkRows(rows: u32, inputs: i32): u32 {
  const row = <usize>((inputs + 31) >> 5) * GROUP;
  const most = min<u32>(MOST_ROWS, <u32>(CHUNK_BYTES / row));
  return most < 4 ? max<u32>(1, most) : min(most & ~3, (evenPart(rows, most & ~3) + 3) & ~3);
}

/** A group's scales, minima and codes: i8 is int8, u8 is int4. */
function widenGroup<W>(group: usize, to: usize): void {
  v128.store(to, firstHalves(group)), v128.store(to, lastHalves(group), 16);
  if (isSigned<W>()) {
    for (let i: usize = 0; i < 256; i += 16) {
      v128.store(to + (i << 1), v128.load_ext<i8>(group + i, 16), 64);
      v128.store(to + (i << 1), v128.load_ext<i8>(group + i, 24), 80);
    }
    return;
  }
  const mask = i16x8.splat(15);
  v128.store(to, firstHalves(group + 16), 32), v128.store(to, lastHalves(group + 16), 48);
  group += 32;
  for (const end = group + 128; group < end; group += 32, to += 128) {
    const p = v128.load(group), q = v128.load(group, 16);
    v128.store(to, v128.and(p, mask), 64), v128.store(to, v128.and(q, mask), 80);
    v128.store(to, v128.and(i16x8.shr_u(p, 4), mask), 96), v128.store(to, v128.and(i16x8.shr_u(q, 4), mask), 112);
    v128.store(to, v128.and(i16x8.shr_u(p, 8), mask), 128), v128.store(to, v128.and(i16x8.shr_u(q, 8), mask), 144);
    v128.store(to, i16x8.shr_u(p, 12), 160), v128.store(to, i16x8.shr_u(q, 12), 176);
  }
}

/** tile [rows][8] += one to four rounded rows, `stride` bytes apart, times widened groups; `rows` is a constant. */
@inline
function addWide<W>(rows: i32, x: usize, stride: usize, wide: usize, groups: i32, tile: usize): void {
  const x1 = stride, x2 = stride * 2, x3 = stride * 3;
  for (const end = x + <usize>groups * GROUP; x < end; x += GROUP) {
    let a0 = i32x4.splat(0), b0 = i32x4.splat(0), a1 = i32x4.splat(0), b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0), b2 = i32x4.splat(0), a3 = i32x4.splat(0), b3 = i32x4.splat(0);
    const scales = wide;
    for (let from = x; from < x + 64; from += 4, wide += 32) {
      const w = v128.load(wide, 64), v = v128.load(wide, 80);
      const s0 = v128.load_splat<i32>(from);
      a0 = dotAdd(a0, w, s0), b0 = dotAdd(b0, v, s0);
      if (rows > 1) {
        const s1 = v128.load_splat<i32>(from + x1);
        a1 = dotAdd(a1, w, s1), b1 = dotAdd(b1, v, s1);
        const s2 = v128.load_splat<i32>(from + x2);
        a2 = dotAdd(a2, w, s2), b2 = dotAdd(b2, v, s2);
        const s3 = v128.load_splat<i32>(from + x3);
        a3 = dotAdd(a3, w, s3), b3 = dotAdd(b3, v, s3);
      }
    }
    wide += 64;
    finishWide<W>(tile, x, a0, b0, scales);
    if (rows > 1) {
      finishWide<W>(tile + 32, x + x1, a1, b1, scales);
      finishWide<W>(tile + 64, x + x2, a2, b2, scales);
      finishWide<W>(tile + 96, x + x3, a3, b3, scales);
    }
  }
}

@inline
function finishWide<W>(tile: usize, x: usize, a: v128, b: v128, scales: usize): void {
  finishRow(tile, x, a, b, v128.load(scales), v128.load(scales, 16));
  if (!isSigned<W>()) addMinimum(tile, x, v128.load(scales, 32), v128.load(scales, 48));
}

function addWide1<W>(x: usize, wide: usize, groups: i32, tile: usize): void {
  addWide<W>(1, x, 0, wide, groups, tile);
}
function addWide4<W>(x: usize, stride: usize, wide: usize, groups: i32, tile: usize): void {
  addWide<W>(4, x, stride, wide, groups, tile);
}

/** tile [rows][8] = the chunk's rounded rows times a panel. */
export function multiplyRounded<W>(rows: u32, panel: usize, inputs: i32, tile: usize): void {
  const groups = (inputs + 31) >> 5;
  const stride = <usize>groups * GROUP;
  const bytes: usize = isSigned<W>() ? 272 : 160;
  const widened = scratchAddress() + 2 * TILE_BYTES;
  memory.fill(tile, 0, <usize>rows << 5);
  for (let begin: i32 = 0; begin < groups; begin += PIECE) {
    const count = min(PIECE, groups - begin);
    for (let i: i32 = 0; i < count; i++, panel += bytes) widenGroup<W>(panel, widened + <usize>i * WIDE);
    let x = roundedChunk() + <usize>begin * GROUP;
    let to = tile;
    let row: u32 = 0;
    for (; row + 4 <= rows; row += 4, x += stride << 2, to += 128) addWide4<W>(x, stride, widened, count, to);
    for (; row < rows; row++, x += stride, to += 32) addWide1<W>(x, widened, count, to);
  }
}
