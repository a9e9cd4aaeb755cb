// Layer norm, a row at a time. The variance is the mean square of the differences from the mean.

import { madd, shareBegin, sumLanes } from "../call.as";
import { LayerNormCall } from "../calls/layer-norm.as";

function normRow(call: LayerNormCall, row: u32): void {
  const dim = call.dim;
  const bytes = <usize>dim << 2;
  const whole = bytes & ~15;
  const x = call.x + <usize>row * bytes;
  const weight = call.weight;
  const bias = call.bias;
  const y = call.y + <usize>row * bytes;
  let sum4 = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) sum4 = f32x4.add(sum4, v128.load(x + i));
  let sum = sumLanes(sum4);
  for (let i = whole; i < bytes; i += 4) sum += load<f32>(x + i);
  const mean = sum / <f32>dim;
  const mean4 = f32x4.splat(mean);
  let squares4 = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const difference = f32x4.sub(v128.load(x + i), mean4);
    squares4 = madd(difference, difference, squares4);
  }
  let squares = sumLanes(squares4);
  for (let i = whole; i < bytes; i += 4) squares += (load<f32>(x + i) - mean) * (load<f32>(x + i) - mean);
  const scale: f32 = 1 / sqrt(squares / <f32>dim + call.epsilon);
  const scale4 = f32x4.splat(scale);
  for (let i: usize = 0; i < whole; i += 16) {
    const scaled = f32x4.mul(f32x4.sub(v128.load(x + i), mean4), scale4);
    v128.store(y + i, madd(scaled, v128.load(weight + i), bias ? v128.load(bias + i) : f32x4.splat(0)));
  }
  for (let i = whole; i < bytes; i += 4) {
    const shift: f32 = bias ? load<f32>(bias + i) : 0;
    store<f32>(y + i, (load<f32>(x + i) - mean) * scale * load<f32>(weight + i) + shift);
  }
}

export function layerNorm(call: LayerNormCall, thread: i32, threads: i32): void {
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) normRow(call, row);
}
