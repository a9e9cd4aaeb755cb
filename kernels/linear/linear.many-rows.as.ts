// linear for five rows and more: prefill. Call words as in linear.few-rows.

import { shareBegin, word } from "../call.as";
import { chunkRows, multiplyChunk, tileAddress } from "../matrix/many-rows.as";
import { panelBytes } from "../matrix/weights.as";
import { finishLinear } from "./linear.finish.as";

function manyRows<W>(call: usize, thread: i32, threads: i32): void {
  const rows = word(call, 5);
  const inputs = <i32>word(call, 6);
  const panels = (word(call, 7) + 7) >> 3;
  const bytes = panelBytes<W>(inputs);
  const tile = tileAddress(0);
  const begin = shareBegin(panels, thread, threads);
  const end = shareBegin(panels, thread + 1, threads);
  const step = chunkRows(inputs);
  for (let row: u32 = 0; row < rows; row += step) {
    const count = min(step, rows - row);
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    for (let panel = begin; panel < end; panel++) {
      multiplyChunk<W>(x, count, <usize>word(call, 1) + <usize>panel * bytes, inputs, tile);
      finishLinear(call, row, count, panel, tile);
    }
  }
}

export function linearManyRowsF32(call: usize, thread: i32, threads: i32): void {
  manyRows<f32>(call, thread, threads);
}
export function linearManyRowsF16(call: usize, thread: i32, threads: i32): void {
  manyRows<i16>(call, thread, threads);
}
export function linearManyRowsBf16(call: usize, thread: i32, threads: i32): void {
  manyRows<u16>(call, thread, threads);
}
export function linearManyRowsInt8(call: usize, thread: i32, threads: i32): void {
  manyRows<i8>(call, thread, threads);
}
export function linearManyRowsInt4(call: usize, thread: i32, threads: i32): void {
  manyRows<u8>(call, thread, threads);
}
