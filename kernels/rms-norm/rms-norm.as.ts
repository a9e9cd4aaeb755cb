// Root mean square norm, a row at a time.

import { dot, madd, shareBegin } from "../call.as";
import { RmsNormCall } from "../calls/rms-norm.as";

function normRow(call: RmsNormCall, row: u32): void {
  const dim = call.dim;
  const bytes = <usize>dim << 2;
  const at = <usize>row * bytes;
  const x = call.x + at;
  const weight = call.weight;
  const residual = call.residual;
  const y = call.y + at;
  const scale: f32 = 1 / sqrt(dot(x, x, dim) / <f32>dim + call.epsilon);
  const scale4 = f32x4.splat(scale);
  const offset = call.weightOffset;
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

export function rmsNorm(call: RmsNormCall, thread: i32, threads: i32): void {
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) normRow(call, row);
}
