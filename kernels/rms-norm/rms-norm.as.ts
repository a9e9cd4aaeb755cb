// rms-norm, a row at a time. Call: x, weight, residual, y, rows, dim, epsilon, weightOffset.

import { dot, float, madd, shareBegin, word } from "../call.as";

function normRow(call: usize, row: u32): void {
  const dim = word(call, 5);
  const bytes = <usize>dim << 2;
  const at = <usize>row * bytes;
  const x = <usize>word(call, 0) + at;
  const weight = <usize>word(call, 1);
  const residual = <usize>word(call, 2);
  const y = <usize>word(call, 3) + at;
  const scale: f32 = 1 / sqrt(dot(x, x, dim) / <f32>dim + float(call, 6));
  const scale4 = f32x4.splat(scale);
  const offset = float(call, 7);
  const offset4 = f32x4.splat(offset);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const factor = f32x4.add(offset4, v128.load(weight + i));
    const scaled = f32x4.mul(v128.load(x + i), scale4);
    const base = residual ? v128.load(residual + at + i) : f32x4.splat(0);
    v128.store(y + i, madd(scaled, factor, base));
  }
  for (; i < bytes; i += 4) {
    const base: f32 = residual ? load<f32>(residual + at + i) : 0;
    store<f32>(y + i, base + load<f32>(x + i) * scale * (offset + load<f32>(weight + i)));
  }
}

export function rmsNorm(call: usize, thread: i32, threads: i32): void {
  const end = shareBegin(word(call, 4), thread + 1, threads);
  for (let row = shareBegin(word(call, 4), thread, threads); row < end; row++) normRow(call, row);
}
