// Finds the largest value of a row, then the first place that holds it.

import { shareBegin } from "../call.as";
import { ArgmaxCall } from "../calls/argmax.as";

/** The largest of n numbers; NaN if one is NaN or Infinity. */
export function largestOf(x: usize, n: u32): f32 {
  const bytes = <usize>n << 2;
  const whole = bytes & ~15;
  const infinity = f32x4.splat(Infinity);
  let most = f32x4.splat(-Infinity);
  let isSound = i32x4.splat(-1);
  let most1 = most, isSound1 = isSound;
  let i: usize = 0;
  // pmax(a, b) is a < b ? b : a, one instruction where max is several
  for (; i + 32 <= whole; i += 32) {
    const four = v128.load(x + i), next = v128.load(x + i, 16);
    most = f32x4.pmax(most, four), most1 = f32x4.pmax(most1, next);
    isSound = v128.and(isSound, f32x4.lt(four, infinity)), isSound1 = v128.and(isSound1, f32x4.lt(next, infinity));
  }
  if (i < whole) {
    const four = v128.load(x + i);
    most = f32x4.pmax(most, four);
    isSound = v128.and(isSound, f32x4.lt(four, infinity));
  }
  if (!i32x4.all_true(v128.and(isSound, isSound1))) return NaN;
  most = f32x4.pmax(most, most1);
  let largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (i = whole; i < bytes; i += 4) {
    const value = load<f32>(x + i);
    if (!(value < Infinity)) return NaN;
    if (value > largest) largest = value;
  }
  return largest;
}

/** The first place of a value among n numbers that has it; n for NaN and -Infinity. */
function firstPlaceOf(x: usize, n: u32, value: f32): u32 {
  if (!(value > -Infinity)) return n;
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
