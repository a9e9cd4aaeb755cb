// One to four rows: decoding, and the few rows of Selective Prompt Anchoring. The weights are read once.

import { scratchAddress, shareBegin } from "../call.as";
import { LinearCall } from "../calls/linear.as";
import { addRows } from "../matrix/wasm/rows.as";
import { finishLinear } from "./linear.finish.as";

function fewRows<W>(call: LinearCall, thread: i32, threads: i32): void {
  const x = call.x;
  const rows = call.rows;
  const inputs = <i32>call.inputs;
  const panels = (call.outputs + 7) >> 3;
  const panelBytes = <usize>inputs * (sizeof<W>() << 3);
  const tile = scratchAddress();
  if (rows == 0) return;
  const end = shareBegin(panels, thread + 1, threads);
  for (let panel = shareBegin(panels, thread, threads); panel < end; panel++) {
    memory.fill(tile, 0, 128);
    addRows<W>(rows, x, <usize>inputs << 2, call.weight + <usize>panel * panelBytes, inputs, tile);
    finishLinear(call, 0, rows, panel, tile);
  }
}

export function linearFewRowsF32(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<f32>(call, thread, threads);
}
export function linearFewRowsF16(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<i16>(call, thread, threads);
}
export function linearFewRowsBf16(call: LinearCall, thread: i32, threads: i32): void {
  fewRows<u16>(call, thread, threads);
}
