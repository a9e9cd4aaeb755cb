// Five rows and more and quantized weights, with x rounded: prefill.

import { LinearCall } from "../calls/linear.as";
import { multiplyRounded, roundedChunk, roundedChunkRows, roundedTile } from "../matrix/wasm/many-rows.rounded.as";
import { portionBegin, portionEnd, portionRow, takePanels } from "../matrix/wasm/portions.as";
import { roundRows } from "../matrix/wasm/rounded-rows.as";
import { panelBytes } from "../matrix/wasm/weights.as";
import { finishLinear } from "./linear.finish.as";

function manyRows<W>(call: LinearCall, threads: i32): void {
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = roundedTile(0);
  const step = roundedChunkRows(rows, inputs);
  let ready = rows; // first row of the chunk that this thread has made ready
  while (takePanels(rows, step, panels, threads)) {
    const row = portionRow;
    const count = min(step, rows - row);
    const x = call.x + <usize>row * (<usize>inputs << 2);
    if (row != ready) roundRows<W>(x, count, inputs, roundedChunk());
    ready = row;
    for (let panel = portionBegin; panel < portionEnd; panel++) {
      multiplyRounded<W>(count, call.weight + <usize>panel * bytes, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearManyRowsRoundedInt8(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<i8>(call, threads);
}
export function linearManyRowsRoundedInt4(call: LinearCall, thread: i32, threads: i32): void {
  manyRows<u8>(call, threads);
}
