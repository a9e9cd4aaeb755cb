// gated-linear for one to four rows: the two matrices stream past once. Call words: gated-linear.finish.

import { scratchAddress, shareBegin, word } from "../call.as";
import { addRows } from "../matrix/rows.as";
import { finishGated } from "./gated-linear.finish.as";

function fewRows<W>(call: usize, thread: i32, threads: i32): void {
  const x = <usize>word(call, 0);
  const rows = word(call, 6);
  const inputs = <i32>word(call, 7);
  const stride = <usize>inputs << 2;
  const panels = (word(call, 8) + 7) >> 3;
  const panelBytes = <usize>inputs * (sizeof<W>() << 3);
  const gates = scratchAddress();
  const ups = gates + 128;
  if (rows == 0) return;
  const end = shareBegin(panels, thread + 1, threads);
  for (let panel = shareBegin(panels, thread, threads); panel < end; panel++) {
    const at = <usize>panel * panelBytes;
    memory.fill(gates, 0, 256);
    addRows<W>(rows, x, stride, <usize>word(call, 1) + at, inputs, gates);
    addRows<W>(rows, x, stride, <usize>word(call, 2) + at, inputs, ups);
    finishGated(call, 0, rows, panel, gates, ups);
  }
}

export function gatedLinearFewRowsF32(call: usize, thread: i32, threads: i32): void {
  fewRows<f32>(call, thread, threads);
}
export function gatedLinearFewRowsF16(call: usize, thread: i32, threads: i32): void {
  fewRows<i16>(call, thread, threads);
}
export function gatedLinearFewRowsBf16(call: usize, thread: i32, threads: i32): void {
  fewRows<u16>(call, thread, threads);
}
