// Five rows and more: for each panel one matrix, then the other.

import { GatedLinearCall } from "../calls/gated-linear.as";
import { chunkRows, multiplyChunk, openChunk, tileAddress } from "../matrix/wasm/many-rows.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/wasm/portions.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: GatedLinearCall, threads: i32): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = tileAddress(0);
  const ups = tileAddress(1);
  const step = chunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = call.x + <usize>row * (<usize>inputs << 2);
    if (row != ready) openChunk(x, count, inputs);
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      const at = <usize>panel * bytes;
      multiplyChunk<W>(count, call.gate + at, inputs, gates);
      multiplyChunk<W>(count, call.up + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsF32(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<f32>(call, threads);
}
export function gatedLinearManyRowsF16(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<i16>(call, threads);
}
export function gatedLinearManyRowsBf16(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<u16>(call, threads);
}
export function gatedLinearManyRowsInt8(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function gatedLinearManyRowsInt4(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
