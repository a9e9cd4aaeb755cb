// linear for one to four rows and quantized weights, which stream past once; rows are rounded to 16 bits a group of 32.
// Rows that do not fit the scratch together are taken one after the other. Call words as in linear.few-rows.

import { scratchAddress, shareBegin, word } from "../call.as";
import { isBeyondCaches, rowsAtOnce, touch } from "../matrix/rounded-rows.as";
import { addQuantized, roundFewRows } from "../matrix/rows.quantized.as";
import { panelBytes } from "../matrix/weights.as";
import { finishLinear } from "./linear.finish.as";

function fewRows<W>(call: usize, thread: i32, threads: i32, isAhead: bool): void {
  const rows = word(call, 5);
  const inputs = <i32>word(call, 6);
  const panels = (word(call, 7) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = scratchAddress();
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const isTouching = isAhead && isBeyondCaches(bytes * <usize>panels);
  const step = rowsAtOnce(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    roundFewRows<W>(<usize>word(call, 0) + <usize>row * (<usize>inputs << 2), count, inputs);
    let at = <usize>word(call, 1) + <usize>begin * bytes;
    for (let panel = begin; panel < end; panel++, at += bytes) {
      if (isTouching && panel + 1 < end) touch(at + bytes, bytes);
      memory.fill(tile, 0, 128);
      addQuantized<W>(count, at, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearFewRowsInt8(call: usize, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, false);
}
export function linearFewRowsInt4(call: usize, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, false);
}
export function linearFewRowsAheadInt8(call: usize, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, true);
}
export function linearFewRowsAheadInt4(call: usize, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, true);
}
