// linear for one to four rows: decoding, and the few rows of Selective Prompt Anchoring. The weights stream past once.
// Call: x, weight, bias, residual, y, rows, inputs, outputs, outputBegin, outputStride, activation, softcap.

import { scratchAddress, shareBegin, word } from "../call.as";
import { addRows } from "../matrix/rows.as";
import { finishLinear } from "./linear.finish.as";

function fewRows<W>(call: usize, thread: i32, threads: i32): void {
  const x = <usize>word(call, 0);
  const rows = word(call, 5);
  const inputs = <i32>word(call, 6);
  const panels = (word(call, 7) + 7) >> 3;
  const panelBytes = <usize>inputs * (sizeof<W>() << 3);
  const tile = scratchAddress();
  if (rows == 0) return;
  const end = shareBegin(panels, thread + 1, threads);
  for (let panel = shareBegin(panels, thread, threads); panel < end; panel++) {
    memory.fill(tile, 0, 128);
    addRows<W>(rows, x, <usize>inputs << 2, <usize>word(call, 1) + <usize>panel * panelBytes, inputs, tile);
    finishLinear(call, 0, rows, panel, tile);
  }
}

export function linearFewRowsF32(call: usize, thread: i32, threads: i32): void {
  fewRows<f32>(call, thread, threads);
}
export function linearFewRowsF16(call: usize, thread: i32, threads: i32): void {
  fewRows<i16>(call, thread, threads);
}
export function linearFewRowsBf16(call: usize, thread: i32, threads: i32): void {
  fewRows<u16>(call, thread, threads);
}
