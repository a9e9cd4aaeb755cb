// Finds the largest value of a row, then the first place that holds it.

import { shareBegin } from "../call.as";
import { ArgmaxCall } from "../calls/argmax.as";

/** The largest of n numbers; NaN is never the largest, and -Infinity is what nothing has. */
export function largestOf(x: usize, n: u32): f32 {
  const bytes = <usize>n << 2;
  const whole = bytes & ~15;
  let most = f32x4.splat(-Infinity);
  // pmax(a, b) is a < b ? b : a, which a NaN in b never passes
  for (let i: usize = 0; i < whole; i += 16) most = f32x4.pmax(most, v128.load(x + i));
  let largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (let i = whole; i < bytes; i += 4) {
    const value = load<f32>(x + i);
    if (value > largest) largest = value;
  }
  return largest;
}

function firstPlaceOf(x: usize, n: u32, value: f32): u32 {
  if (value == -Infinity) return 0;
  const bytes = <usize>n << 2;
  const value4 = f32x4.splat(value);
  let i: usize = 0;
  while (i + 16 <= bytes && !v128.any_true(f32x4.eq(v128.load(x + i), value4))) i += 16;
  while (i + 4 < bytes && load<f32>(x + i) != value) i += 4;
  return <u32>(i >> 2);
}

export function argmax(call: ArgmaxCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const x = call.x + ((<usize>row * <usize>columns) << 2);
    store<u32>(call.best + (<usize>row << 2), firstPlaceOf(x, columns, largestOf(x, columns)));
  }
}
