// packRows of matrix.ts for the layout "panels": eight rows at a time, transposed by vectors.

import { shareBegin } from "../../../call.as";
import { PackCall } from "../../../calls/pack.as";

/** 16 bytes of a row; zeros where there is none. */
@inline
export function rowAt(from: usize, row: i32, rows: i32, stride: usize): v128 {
  return row < rows ? v128.load(from + <usize>row * stride) : i64x2.splat(0);
}

@inline
function low16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
@inline
function high16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** Eight columns of eight rows of 2-byte weights: three rounds of interleaving row i with row i + 4 transpose them. */
export function pack16(from: usize, rows: i32, stride: usize, to: usize): void {
  const r0 = rowAt(from, 0, rows, stride), r1 = rowAt(from, 1, rows, stride), r2 = rowAt(from, 2, rows, stride);
  const r3 = rowAt(from, 3, rows, stride), r4 = rowAt(from, 4, rows, stride), r5 = rowAt(from, 5, rows, stride);
  const r6 = rowAt(from, 6, rows, stride), r7 = rowAt(from, 7, rows, stride);
  const s0 = low16(r0, r4), s1 = high16(r0, r4), s2 = low16(r1, r5), s3 = high16(r1, r5);
  const s4 = low16(r2, r6), s5 = high16(r2, r6), s6 = low16(r3, r7), s7 = high16(r3, r7);
  const t0 = low16(s0, s4), t1 = high16(s0, s4), t2 = low16(s1, s5), t3 = high16(s1, s5);
  const t4 = low16(s2, s6), t5 = high16(s2, s6), t6 = low16(s3, s7), t7 = high16(s3, s7);
  v128.store(to, low16(t0, t4)), v128.store(to, high16(t0, t4), 16);
  v128.store(to, low16(t1, t5), 32), v128.store(to, high16(t1, t5), 48);
  v128.store(to, low16(t2, t6), 64), v128.store(to, high16(t2, t6), 80);
  v128.store(to, low16(t3, t7), 96), v128.store(to, high16(t3, t7), 112);
}

/** Four columns of four rows of 4-byte weights, to places 32 bytes apart. */
function pack32(from: usize, rows: i32, stride: usize, to: usize): void {
  const r0 = rowAt(from, 0, rows, stride), r1 = rowAt(from, 1, rows, stride);
  const r2 = rowAt(from, 2, rows, stride), r3 = rowAt(from, 3, rows, stride);
  const s0 = i32x4.shuffle(r0, r2, 0, 4, 1, 5), s1 = i32x4.shuffle(r0, r2, 2, 6, 3, 7);
  const s2 = i32x4.shuffle(r1, r3, 0, 4, 1, 5), s3 = i32x4.shuffle(r1, r3, 2, 6, 3, 7);
  v128.store(to, i32x4.shuffle(s0, s2, 0, 4, 1, 5)), v128.store(to, i32x4.shuffle(s0, s2, 2, 6, 3, 7), 32);
  v128.store(to, i32x4.shuffle(s1, s3, 0, 4, 1, 5), 64), v128.store(to, i32x4.shuffle(s1, s3, 2, 6, 3, 7), 96);
}

/** Packs row-major rows [rows][columns] of 2- or 4-byte weights into panels; rows missing in the last are zeros. */
function packPanels(from: usize, rows: i32, columns: i32, weightBytes: i32, to: usize): void {
  const stride = <usize>columns * <usize>weightBytes;
  for (; rows > 0; rows -= 8, from += stride << 3) {
    let column = 0;
    if (weightBytes == 2) {
      for (; column + 8 <= columns; column += 8, to += 128) pack16(from + (<usize>column << 1), rows, stride, to);
    } else {
      for (; column + 4 <= columns; column += 4, to += 128) {
        const at = from + (<usize>column << 2);
        pack32(at, rows, stride, to);
        pack32(at + (stride << 2), rows - 4, stride, to + 16);
      }
    }
    for (; column < columns; column++) {
      for (let row = 0; row < 8; row++, to += <usize>weightBytes) {
        const at = from + <usize>row * stride + <usize>column * <usize>weightBytes;
        if (weightBytes == 2) store<u16>(to, row < rows ? load<u16>(at) : 0);
        else store<u32>(to, row < rows ? load<u32>(at) : 0);
      }
    }
  }
}

/** packPanels, each thread some of the panels; `kind` is the bytes of a weight. */
export function packStored(call: PackCall, thread: i32, threads: i32): void {
  const rows = call.rows;
  const panels = (rows + 7) >> 3;
  const begin = shareBegin(panels, thread, threads) << 3;
  const end = min(rows, shareBegin(panels, thread + 1, threads) << 3);
  if (begin >= end) return;
  const offset = <usize>begin * <usize>call.columns * <usize>call.kind; // as long packed as it is stored
  packPanels(call.from + offset, end - begin, call.columns, call.kind, call.to + offset);
}
