// One to four rows and quantized weights, which are read once. x is rounded to 16 bits in groups of 32. Rows that do not fit the
// scratch together are computed one after the other.

import { scratchAddress, shareBegin } from "../call.as";
import { LinearCall } from "../calls/linear.as";
import { isBeyondCaches, rowsAtOnce, prefetch } from "../matrix/wasm/rounded-rows.as";
import { addQuantized, roundFewRows } from "../matrix/wasm/rows.quantized.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishLinear } from "./linear.finish.as";

function fewRows<W>(call: LinearCall, thread: i32, threads: i32, mayPrefetch: bool): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = scratchAddress();
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const isPrefetching = mayPrefetch && isBeyondCaches(bytes * <usize>panels);
  const step = rowsAtOnce(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    roundFewRows<W>(call.x + <usize>row * (<usize>inputs << 2), count, inputs);
    let at = call.weight + <usize>begin * bytes;
    for (let panel = begin; panel < end; panel++, at += bytes) {
      if (isPrefetching && panel + 1 < end) prefetch(at + bytes, bytes);
      memory.fill(tile, 0, 128);
      addQuantized<W>(count, at, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearFewRowsInt8(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, false);
}
export function linearFewRowsInt4(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, false);
}
export function linearFewRowsPrefetchInt8(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, true);
}
export function linearFewRowsPrefetchInt4(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, true);
}
