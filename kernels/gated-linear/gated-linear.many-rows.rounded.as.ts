// gated-linear for five rows and more of rounded x, and quantized weights: both matrices of a panel by turns. Call words:
// gated-linear.finish.

import { shareBegin, word } from "../call.as";
import { multiplyRounded, roundedChunk, roundedChunkRows, roundedTile } from "../matrix/many-rows.rounded.as";
import { roundRows } from "../matrix/rounded-rows.as";
import { panelBytes } from "../matrix/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: usize, thread: i32, threads: i32): void {
  const rows = word(call, 6);
  const inputs = <i32>word(call, 7);
  const panels = (word(call, 8) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = roundedTile(0);
  const ups = roundedTile(1);
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const step = roundedChunkRows(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    roundRows(<usize>word(call, 0) + <usize>row * (<usize>inputs << 2), count, inputs, roundedChunk());
    for (let panel = begin; panel < end; panel++) {
      const at = <usize>panel * bytes;
      multiplyRounded<W>(count, <usize>word(call, 1) + at, inputs, gates);
      multiplyRounded<W>(count, <usize>word(call, 2) + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsRoundedInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, thread, threads);
}
export function gatedLinearManyRowsRoundedInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, thread, threads);
}
