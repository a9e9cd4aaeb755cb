// Packs quantized rows (quantized-rows.ts) into panels (pack-quantized.ts), eight rows of a group at a time. Pairs of columns of int8 are
// transposed like 2-byte weights; nibbles of int4 are reordered within each word of eight. Rows that are stored as floats are quantized
// first (quantize.as.ts). Threads share the panels. Calls: packing-calls.ts.

import { scratchAddress, shareBegin } from "../../../call.as";
import { PackCall } from "../../../calls/pack.as";
import { pack16, rowAt } from "./pack.as";
import { CODES, MINIMUM, quantizeInt4, quantizeInt8, SCALE } from "./quantize.as";
import { storedGroup } from "./weights.stored.as";

/** Stored as the format has it: nothing is to be quantized. */
const QUANTIZED: u32 = 3;
const OUTPUT: usize = 1024;
const CENTERED: usize = 2048;

/** Four words of eight nibbles: nibbles i and i + 4 of a word into its byte i. */
@inline
function dealNibbles(x: v128): v128 {
  const low = i8x16.splat(15);
  const even = v128.and(x, low), odd = v128.and(i32x4.shr_u(x, 4), low);
  // bytes 0 and 1 of each word hold two nibbles then
  const e = v128.or(even, i32x4.shr_u(even, 12)), o = v128.or(odd, i32x4.shr_u(odd, 12));
  return i8x16.shuffle(e, o, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}

/** 32 columns of four rows of int4, 16 bytes a row, to places 32 bytes apart. */
function packNibbles(from: usize, rows: i32, stride: usize, to: usize): void {
  const r0 = rowAt(from, 0, rows, stride), r1 = rowAt(from, 1, rows, stride);
  const r2 = rowAt(from, 2, rows, stride), r3 = rowAt(from, 3, rows, stride);
  const s0 = i32x4.shuffle(r0, r2, 0, 4, 1, 5), s1 = i32x4.shuffle(r0, r2, 2, 6, 3, 7);
  const s2 = i32x4.shuffle(r1, r3, 0, 4, 1, 5), s3 = i32x4.shuffle(r1, r3, 2, 6, 3, 7);
  v128.store(to, dealNibbles(i32x4.shuffle(s0, s2, 0, 4, 1, 5)));
  v128.store(to, dealNibbles(i32x4.shuffle(s0, s2, 2, 6, 3, 7)), 32);
  v128.store(to, dealNibbles(i32x4.shuffle(s1, s3, 0, 4, 1, 5)), 64);
  v128.store(to, dealNibbles(i32x4.shuffle(s1, s3, 2, 6, 3, 7)), 96);
}

/** The codes of a whole group of eight rows into a panel's group. */
@inline
function packCodes(isInt8: bool, from: usize, rows: i32, stride: usize, to: usize): void {
  if (isInt8) {
    pack16(from, rows, stride, to);
    pack16(from + 16, rows, stride, to + 128);
  } else {
    packNibbles(from, rows, stride, to);
    packNibbles(from + (stride << 2), rows - 4, stride, to + 16);
  }
}

/** 32 codes of a byte each as 16 bytes of two. */
@inline
export function joinNibbles(codes: usize, to: usize): void {
  const a = v128.load(codes), b = v128.load(codes, 16), mask = i16x8.splat(255);
  const x = v128.and(v128.or(a, i16x8.shr_u(a, 4)), mask), y = v128.and(v128.or(b, i16x8.shr_u(b, 4)), mask);
  v128.store(to, i8x16.narrow_i16x8_u(x, y));
}

/** One panel of quantized rows; the planes of row 0 begin at these addresses. */
function packPanel(isInt8: bool, codes: usize, minima: usize, scales: usize, rows: i32, columns: i32, to: usize): void {
  const groups = (columns + 31) >> 5;
  const stride = <usize>(isInt8 ? columns : (columns + 1) >> 1);
  const groupBytes: usize = isInt8 ? 32 : 16;
  const scratch = scratchAddress();
  for (let g = 0; g < groups; g++, codes += groupBytes) {
    for (let row = 0; row < 8; row++) {
      const at = (<usize>row * <usize>groups + <usize>g) << 1;
      store<u16>(to + (<usize>row << 1), row < rows ? load<u16>(scales + at) : 0);
      if (!isInt8) store<u16>(to + (<usize>row << 1), row < rows ? load<u16>(minima + at) : 0, 16);
    }
    to += isInt8 ? 16 : 32;
    const left = columns - (g << 5);
    if (left >= 32) packCodes(isInt8, codes, rows, stride, to);
    else {
      memory.fill(scratch, 0, 256);
      const count = <usize>(isInt8 ? left : (left + 1) >> 1);
      for (let row = 0; row < rows; row++) {
        const line = scratch + <usize>row * groupBytes;
        memory.copy(line, codes + <usize>row * stride, count);
        if (!isInt8 && (left & 1) == 1) store<u8>(line + count - 1, load<u8>(line + count - 1) & 15);
      }
      packCodes(isInt8, scratch, rows, groupBytes, to);
    }
    to += isInt8 ? 256 : 128;
  }
}

/** One panel of stored rows, quantized. */
function quantizePanel(isInt8: bool, stored: u32, from: usize, rows: i32, columns: i32, to: usize): void {
  const scratch = scratchAddress();
  const group = scratch + OUTPUT, centered = scratch + CENTERED;
  const groupBytes: usize = isInt8 ? 32 : 16;
  const weightBytes: usize = stored == 0 ? 4 : 2;
  for (let column = 0; column < columns; column += 32) {
    const count = min(32, columns - column);
    memory.fill(to, 0, isInt8 ? 16 : 32);
    for (let row = 0; row < rows; row++) {
      storedGroup(stored, from + (<usize>row * <usize>columns + <usize>column) * weightBytes, count, group);
      const codes = scratch + <usize>row * groupBytes, half = to + (<usize>row << 1);
      if (isInt8) {
        quantizeInt8(group, count);
        memory.copy(codes, group + CODES, 32);
      } else {
        quantizeInt4(group, count, centered);
        joinNibbles(group + CODES, codes);
        store<u16>(half, load<u16>(group, MINIMUM), 16);
      }
      store<u16>(half, load<u16>(group, SCALE));
    }
    to += isInt8 ? 16 : 32;
    packCodes(isInt8, scratch, rows, groupBytes, to);
    to += isInt8 ? 256 : 128;
  }
}

function pack(isInt8: bool, call: PackCall, thread: i32, threads: i32): void {
  const rows = call.rows, columns = call.columns, stored = call.kind;
  const from = call.from;
  const groups = <usize>((columns + 31) >> 5);
  const codeBytes = <usize>(isInt8 ? columns : (columns + 1) >> 1);
  const minima = from + <usize>rows * codeBytes;
  const scales = minima + (isInt8 ? 0 : (<usize>rows * groups) << 1);
  const panels = (rows + 7) >> 3;
  const end = shareBegin(panels, thread + 1, threads);
  for (let panel = shareBegin(panels, thread, threads); panel < end; panel++) {
    const row = <usize>panel << 3;
    const count = min(8, rows - <u32>row);
    const to = call.to + <usize>panel * groups * (isInt8 ? 272 : 160);
    const halves = (row * groups) << 1;
    if (stored == QUANTIZED) {
      packPanel(isInt8, from + row * codeBytes, minima + halves, scales + halves, count, columns, to);
    } else quantizePanel(isInt8, stored, from + row * <usize>columns * (stored == 0 ? 4 : 2), count, columns, to);
  }
}

export function packInt8(call: PackCall, thread: i32, threads: i32): void {
  pack(true, call, thread, threads);
}
export function packInt4(call: PackCall, thread: i32, threads: i32): void {
  pack(false, call, thread, threads);
}
