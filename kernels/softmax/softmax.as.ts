// Softmax, a row at a time.

import { largestOf } from "../argmax/argmax.as";
import { shareBegin } from "../call.as";
import { SoftmaxCall } from "../calls/softmax.as";
import { exp1, exp4 } from "../math.as";

/** y = 0 for -Infinity, NaN for all else. */
function fillNaN(x: usize, y: usize, columns: u32): void {
  for (const end = x + (<usize>columns << 2); x < end; x += 4, y += 4) store<f32>(y, load<f32>(x) == -Infinity ? 0 : NaN);
}

function softmaxRow(x: usize, y: usize, columns: u32): void {
  const bytes = <usize>columns << 2;
  const whole = bytes & ~15;
  const largest = largestOf(x, columns);
  if (largest == -Infinity) {
    memory.fill(y, 0, bytes);
    return;
  }
  if (isNaN(largest)) return fillNaN(x, y, columns);
  const largest4 = f32x4.splat(largest);
  let total: f64 = 0;
  let i: usize = 0;
  while (i < whole) {
    let part = f32x4.splat(0);
    for (const end = min(whole, i + 4096); i < end; i += 16) {
      const power = exp4(f32x4.sub(v128.load(x + i), largest4));
      v128.store(y + i, power);
      part = f32x4.add(part, power);
    }
    total += sumOf(part);
  }
  for (; i < bytes; i += 4) {
    const power = exp1(load<f32>(x + i) - largest);
    store<f32>(y + i, power);
    total += power;
  }
  const share = <f32>(1 / total);
  for (i = 0; i < whole; i += 16) v128.store(y + i, f32x4.mul(v128.load(y + i), f32x4.splat(share)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) * share);
}

@inline
function sumOf(v: v128): f64 {
  const low = <f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1);
  return low + <f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3);
}

/** Σ e^(x - largest) over a row; parts of 1024 in f32, their sum in f64. */
export function sumOfPowers(x: usize, columns: u32, largest: f32): f64 {
  const bytes = <usize>columns << 2;
  const whole = bytes & ~15;
  let total: f64 = 0;
  let i: usize = 0;
  while (i < whole) {
    let part = f32x4.splat(0);
    for (const end = min(whole, i + 4096); i < end; i += 16) {
      part = f32x4.add(part, exp4(f32x4.sub(v128.load(x + i), f32x4.splat(largest))));
    }
    total += sumOf(part);
  }
  for (; i < bytes; i += 4) total += exp1(load<f32>(x + i) - largest);
  return total;
}

export function softmax(call: SoftmaxCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const at = (<usize>row * <usize>columns) << 2;
    softmaxRow(call.x + at, call.y + at, columns);
  }
}
