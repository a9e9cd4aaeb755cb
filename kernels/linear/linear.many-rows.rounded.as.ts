// linear for five rows and more of rounded x, and quantized weights: prefill. Call words as in linear.few-rows.

import { shareBegin, word } from "../call.as";
import { multiplyRounded, roundedChunk, roundedChunkRows, roundedTile } from "../matrix/many-rows.rounded.as";
import { roundRows } from "../matrix/rounded-rows.as";
import { panelBytes } from "../matrix/weights.as";
import { finishLinear } from "./linear.finish.as";

function manyRows<W>(call: usize, thread: i32, threads: i32): void {
  const rows = word(call, 5);
  const inputs = <i32>word(call, 6);
  const panels = (word(call, 7) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = roundedTile(0);
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const step = roundedChunkRows(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    roundRows(<usize>word(call, 0) + <usize>row * (<usize>inputs << 2), count, inputs, roundedChunk());
    for (let panel = begin; panel < end; panel++) {
      multiplyRounded<W>(count, <usize>word(call, 1) + <usize>panel * bytes, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearManyRowsRoundedInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, thread, threads);
}
export function linearManyRowsRoundedInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, thread, threads);
}
