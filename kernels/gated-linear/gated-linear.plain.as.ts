// gated-linear, one output after the other: any shape, no vectors in the sums. Call words: gated-linear.finish.

import { shareBegin, word } from "../call.as";
import { plainDot } from "../linear/linear.plain.as";
import { finishOneGated } from "./gated-linear.finish.as";

function plain<W>(call: usize, thread: i32, threads: i32): void {
  const inputs = <i32>word(call, 7);
  const outputs = word(call, 8);
  const end = shareBegin(outputs, thread + 1, threads);
  for (let row: u32 = 0; row < word(call, 6); row++) {
    const x = <usize>word(call, 0) + <usize>row * (<usize>inputs << 2);
    for (let output = shareBegin(outputs, thread, threads); output < end; output++) {
      const gate = plainDot<W>(x, <usize>word(call, 1), inputs, output);
      const up = plainDot<W>(x, <usize>word(call, 2), inputs, output);
      finishOneGated(call, row, word(call, 9) + output, gate, up);
    }
  }
}

export function gatedLinearPlainF32(call: usize, thread: i32, threads: i32): void {
  plain<f32>(call, thread, threads);
}
export function gatedLinearPlainF16(call: usize, thread: i32, threads: i32): void {
  plain<i16>(call, thread, threads);
}
export function gatedLinearPlainBf16(call: usize, thread: i32, threads: i32): void {
  plain<u16>(call, thread, threads);
}
export function gatedLinearPlainInt8(call: usize, thread: i32, threads: i32): void {
  plain<i8>(call, thread, threads);
}
export function gatedLinearPlainInt4(call: usize, thread: i32, threads: i32): void {
  plain<u8>(call, thread, threads);
}
