// linear, one output after the other: any shape, no vectors. What the others are checked against, and what remains where
// they are found wrong. Call words as in linear.few-rows.

import { shareBegin, word } from "../call.as";
import { panelBytes, weightOf } from "../matrix/weights.as";
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

function plain<W>(call: usize, thread: i32, threads: i32): void {
  const inputs = <i32>word(call, 6);
  const outputs = word(call, 7);
  const end = shareBegin(outputs, thread + 1, threads);
  for (let row: u32 = 0; row < word(call, 5); row++) {
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    for (let output = shareBegin(outputs, thread, threads); output < end; output++) {
      finishOne(call, row, word(call, 8) + output, plainDot<W>(x, <usize>word(call, 1), inputs, output));
    }
  }
}

export function linearPlainF32(call: usize, thread: i32, threads: i32): void {
  plain<f32>(call, thread, threads);
}
export function linearPlainF16(call: usize, thread: i32, threads: i32): void {
  plain<i16>(call, thread, threads);
}
export function linearPlainBf16(call: usize, thread: i32, threads: i32): void {
  plain<u16>(call, thread, threads);
}
export function linearPlainInt8(call: usize, thread: i32, threads: i32): void {
  plain<i8>(call, thread, threads);
}
export function linearPlainInt4(call: usize, thread: i32, threads: i32): void {
  plain<u8>(call, thread, threads);
}
