// A row at a time.

import { madd, shareBegin } from "../call.as";
import { ScaleShiftCall } from "../calls/scale-shift.as";

export function scaleShift(call: ScaleShiftCall, thread: i32, threads: i32): void {
  const bytes = <usize>call.dim << 2;
  const whole = bytes & ~15;
  const weight = call.weight;
  const bias = call.bias;
  const offset = call.weightOffset;
  const offset4 = f32x4.splat(offset);
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const x = call.x + <usize>row * bytes;
    const y = call.y + <usize>row * bytes;
    for (let i: usize = 0; i < whole; i += 16) {
      const shift = bias ? v128.load(bias + i) : f32x4.splat(0);
      v128.store(y + i, madd(v128.load(x + i), f32x4.add(offset4, v128.load(weight + i)), shift));
    }
    for (let i = whole; i < bytes; i += 4) {
      const shift: f32 = bias ? load<f32>(bias + i) : 0;
      store<f32>(y + i, load<f32>(x + i) * (offset + load<f32>(weight + i)) + shift);
    }
  }
}
