// Five rows and more: prefill.

import { LinearCall } from "../calls/linear.as";
import { chunkRows, multiplyChunk, openChunk, tileAddress } from "../matrix/wasm/many-rows.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/wasm/portions.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishLinear } from "./linear.finish.as";

function manyRows<W>(call: LinearCall, threads: i32): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = tileAddress(0);
  const step = chunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = call.x + <usize>row * (<usize>inputs << 2);
    if (row != ready) openChunk(x, count, inputs);
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      multiplyChunk<W>(count, call.weight + <usize>panel * bytes, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearManyRowsF32(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<f32>(call, threads);
}
export function linearManyRowsF16(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<i16>(call, threads);
}
export function linearManyRowsBf16(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<u16>(call, threads);
}
export function linearManyRowsInt8(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function linearManyRowsInt4(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
