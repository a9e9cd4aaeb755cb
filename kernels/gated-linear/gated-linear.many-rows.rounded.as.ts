// Five rows and more and quantized weights, with x rounded: for each panel one matrix, then the other.

import { GatedLinearCall } from "../calls/gated-linear.as";
import { multiplyRounded, roundedChunk, roundedChunkRows, roundedTile } from "../matrix/wasm/many-rows.rounded.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/wasm/portions.as";
import { roundRows } from "../matrix/wasm/rounded-rows.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: GatedLinearCall, threads: i32): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = roundedTile(0);
  const ups = roundedTile(1);
  const step = roundedChunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = call.x + <usize>row * (<usize>inputs << 2);
    if (row != ready) roundRows<W>(x, count, inputs, roundedChunk());
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      const at = <usize>panel * bytes;
      multiplyRounded<W>(count, call.gate + at, inputs, gates);
      multiplyRounded<W>(count, call.up + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsRoundedInt8(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function gatedLinearManyRowsRoundedInt4(call: GatedLinearCall, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
