// One to four rows: both matrices are read once.

import { scratchAddress, shareBegin } from "../call.as";
import { GatedLinearCall } from "../calls/gated-linear.as";
import { addRows } from "../matrix/wasm/rows.as";
import { finishGated } from "./gated-linear.finish.as";

function fewRows<W>(call: GatedLinearCall, thread: i32, threads: i32): void {
  const x = call.x;
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const stride = <usize>inputs << 2;
  const panels = (call.outputs + 7) >> 3;
  const panelBytes = <usize>inputs * (sizeof<W>() << 3);
  const gates = scratchAddress();
  const ups = gates + 128;
  if (rows == 0) return;
  const end = shareBegin(panels, thread + 1, threads);
  for (let panel = shareBegin(panels, thread, threads); panel < end; panel++) {
    const at = <usize>panel * panelBytes;
    memory.fill(gates, 0, 256);
    addRows<W>(rows, x, stride, call.gate + at, inputs, gates);
    addRows<W>(rows, x, stride, call.up + at, inputs, ups);
    finishGated(call, 0, rows, panel, gates, ups);
  }
}

export function gatedLinearFewRowsF32(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<f32>(call, thread, threads);
}
export function gatedLinearFewRowsF16(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<i16>(call, thread, threads);
}
export function gatedLinearFewRowsBf16(call: GatedLinearCall, thread: i32, threads: i32): void {
  fewRows<u16>(call, thread, threads);
}
