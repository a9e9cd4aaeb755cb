// gated-linear for five rows and more of rounded x, and quantized weights: both matrices of a panel by turns. Call words:
// gated-linear.finish.

import { word } from "../call.as";
import { multiplyRounded, roundedChunk, roundedChunkRows, roundedTile } from "../matrix/many-rows.rounded.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/portions.as";
import { roundRows } from "../matrix/rounded-rows.as";
import { panelBytes } from "../matrix/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: usize, threads: i32): void {
  const rows = word(call, 6);
  const inputs = <i32>word(call, 7);
  const panels = (word(call, 8) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = roundedTile(0);
  const ups = roundedTile(1);
  const step = roundedChunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    if (row != ready) roundRows<W>(x, count, inputs, roundedChunk());
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      const at = <usize>panel * bytes;
      multiplyRounded<W>(count, <usize>word(call, 1) + at, inputs, gates);
      multiplyRounded<W>(count, <usize>word(call, 2) + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsRoundedInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function gatedLinearManyRowsRoundedInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
