// One to four rows and quantized weights, as in linear.few-rows.quantized.

import { scratchAddress, shareBegin } from "../call.as";
import { GatedLinearCall } from "../calls/gated-linear.as";
import { isBeyondCaches, rowsAtOnce, prefetch } from "../matrix/wasm/rounded-rows.as";
import { addQuantized, roundFewRows } from "../matrix/wasm/rows.quantized.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function fewRows<W>(call: GatedLinearCall, thread: i32, threads: i32, mayPrefetch: bool): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = scratchAddress();
  const ups = gates + 128;
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const isPrefetching = mayPrefetch && isBeyondCaches(bytes * <usize>panels);
  const step = rowsAtOnce(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    roundFewRows<W>(call.x + <usize>row * (<usize>inputs << 2), count, inputs);
    let gate = call.gate + <usize>begin * bytes;
    let up = call.up + <usize>begin * bytes;
    for (let panel = begin; panel < end; panel++, gate += bytes, up += bytes) {
      const isLast = panel + 1 == end;
      memory.fill(gates, 0, 256);
      if (isPrefetching && !isLast) prefetch(gate + bytes, bytes);
      addQuantized<W>(count, gate, inputs, gates);
      if (isPrefetching && !isLast) prefetch(up + bytes, bytes);
      addQuantized<W>(count, up, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearFewRowsInt8(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, false);
}
export function gatedLinearFewRowsInt4(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, false);
}
export function gatedLinearFewRowsPrefetchInt8(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<i8>(call, thread, threads, true);
}
export function gatedLinearFewRowsPrefetchInt4(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<u8>(call, thread, threads, true);
}
