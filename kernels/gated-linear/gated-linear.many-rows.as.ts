// gated-linear for five rows and more: both matrices of a panel by turns. Call words: gated-linear.finish.

import { shareBegin, word } from "../call.as";
import { chunkRows, multiplyChunk, tileAddress } from "../matrix/many-rows.as";
import { panelBytes } from "../matrix/weights.as";
import { finishGated } from "./gated-linear.finish.as";

function manyRows<W>(call: usize, thread: i32, threads: i32): void {
  const rows = word(call, 6);
  const inputs = <i32>word(call, 7);
  const panels = (word(call, 8) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const gates = tileAddress(0);
  const ups = tileAddress(1);
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const step = chunkRows(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    for (let panel = begin; panel < end; panel++) {
      const at = <usize>panel * bytes;
      multiplyChunk<W>(x, count, <usize>word(call, 1) + at, inputs, gates);
      multiplyChunk<W>(x, count, <usize>word(call, 2) + at, inputs, ups);
      finishGated(call, row, count, panel, gates, ups);
    }
  }
}

export function gatedLinearManyRowsF32(call: usize, thread: i32, threads: i32): void {
  manyRows<f32>(call, thread, threads);
}
export function gatedLinearManyRowsF16(call: usize, thread: i32, threads: i32): void {
  manyRows<i16>(call, thread, threads);
}
export function gatedLinearManyRowsBf16(call: usize, thread: i32, threads: i32): void {
  manyRows<u16>(call, thread, threads);
}
export function gatedLinearManyRowsInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, thread, threads);
}
export function gatedLinearManyRowsInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, thread, threads);
}
