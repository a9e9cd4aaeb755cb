// Any shape: one output after the other, without vectors in the sums.

import { shareBegin } from "../call.as";
import { GatedLinearCall } from "../calls/gated-linear.as";
import { plainDot } from "../linear/linear.plain.as";
import { finishOneGated } from "./gated-linear.finish.as";

function plain<W>(call: GatedLinearCall, thread: i32, threads: i32): void {
  const inputs = <i32>call.inputs;
  const outputs = call.outputs;
  const end = shareBegin(outputs, thread + 1, threads);
  for (let row: u32 = 0; row < call.rows; row++) {
    const x = call.x + <usize>row * (<usize>inputs << 2);
    for (let output = shareBegin(outputs, thread, threads); output < end; output++) {
      const gate = plainDot<W>(x, call.gate, inputs, output);
      const up = plainDot<W>(x, call.up, inputs, output);
      finishOneGated(call, row, call.outputBegin + output, gate, up);
    }
  }
}

export function gatedLinearPlainF32(call: GatedLinearCall, thread: i32, threads: i32): void {
  plain<f32>(call, thread, threads);
}
export function gatedLinearPlainF16(call: GatedLinearCall, thread: i32, threads: i32): void {
  plain<i16>(call, thread, threads);
}
export function gatedLinearPlainBf16(call: GatedLinearCall, thread: i32, threads: i32): void {
  plain<u16>(call, thread, threads);
}
export function gatedLinearPlainInt8(call: GatedLinearCall, thread: i32, threads: i32): void {
  plain<i8>(call, thread, threads);
}
export function gatedLinearPlainInt4(call: GatedLinearCall, thread: i32, threads: i32): void {
  plain<u8>(call, thread, threads);
}
