// gated-linear for five rows and more: both matrices of a panel by turns. Call words: gated-linear.finish.

import { word } from "../call.as";
import { chunkRows, multiplyChunk, openChunk, tileAddress } from "../matrix/many-rows.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/portions.as";
import { panelBytes } from "../matrix/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: usize, threads: i32): void {
  const rows = word(call, 6);
  const inputs = <i32>word(call, 7);
  const panels = (word(call, 8) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = tileAddress(0);
  const ups = tileAddress(1);
  const step = chunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    if (row != ready) openChunk(x, count, inputs);
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      const at = <usize>panel * bytes;
      multiplyChunk<W>(count, <usize>word(call, 1) + at, inputs, gates);
      multiplyChunk<W>(count, <usize>word(call, 2) + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsF32(call: usize, thread: i32, threads: i32): void {
  manyRows<f32>(call, threads);
}
export function gatedLinearManyRowsF16(call: usize, thread: i32, threads: i32): void {
  manyRows<i16>(call, threads);
}
export function gatedLinearManyRowsBf16(call: usize, thread: i32, threads: i32): void {
  manyRows<u16>(call, threads);
}
export function gatedLinearManyRowsInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function gatedLinearManyRowsInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
