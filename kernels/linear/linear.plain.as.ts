// Any shape: one output after the other, without vectors. It remains where the faster ones are found wrong.

import { shareBegin } from "../call.as";
import { LinearCall } from "../calls/linear.as";
import { panelBytes, weightOf } from "../matrix/wasm/weights.as";
import { finishOne } from "./linear.finish.as";

/** The dot product of a row of x and output `output` of a panelled matrix. */
export function plainDot<W>(x: usize, weight: usize, inputs: i32, output: u32): f32 {
  const panel = weight + <usize>(output >> 3) * panelBytes<W>(inputs);
  let sum: f32 = 0;
  for (let i = 0; i < inputs; i++) {
    sum += load<f32>(x + (<usize>i << 2)) * weightOf<W>(panel, <usize>(output & 7), i);
  }
  return sum;
}

function plain<W>(call: LinearCall, thread: i32, threads: i32): void {
  const inputs = <i32>call.inputs;
  const outputs = call.outputs;
  const end = shareBegin(outputs, thread + 1, threads);
  for (let row: u32 = 0; row < call.rows; row++) {
    const x = call.x + <usize>row * (<usize>inputs << 2);
    for (let output = shareBegin(outputs, thread, threads); output < end; output++) {
      finishOne(call, row, call.outputBegin + output, plainDot<W>(x, call.weight, inputs, output));
    }
  }
}

export function linearPlainF32(call: LinearCall, thread: i32, threads: i32): void {
  plain<f32>(call, thread, threads);
}
export function linearPlainF16(call: LinearCall, thread: i32, threads: i32): void {
  plain<i16>(call, thread, threads);
}
export function linearPlainBf16(call: LinearCall, thread: i32, threads: i32): void {
  plain<u16>(call, thread, threads);
}
export function linearPlainInt8(call: LinearCall, thread: i32, threads: i32): void {
  plain<i8>(call, thread, threads);
}
export function linearPlainInt4(call: LinearCall, thread: i32, threads: i32): void {
  plain<u8>(call, thread, threads);
}
