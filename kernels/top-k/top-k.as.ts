// Keeps an ordered list in the outputs themselves. Four numbers at a time are compared with the last of the list: in a row of random
// order few are larger, so that most of the row costs one comparison for four numbers.

import { shareBegin } from "../call.as";
import { TopKCall } from "../calls/top-k.as";
import { exp1, exp4 } from "../math.as";

/** Puts a value into the list of `count`, behind those that are not smaller; the last of k falls out. Returns the new count. */
function insert(values: usize, columnOf: usize, count: u32, k: u32, value: f32, column: u32): u32 {
  let at: usize = <usize>(count < k ? count : k - 1) << 2;
  while (at > 0 && load<f32>(values + at - 4) < value) {
    store<f32>(values + at, load<f32>(values + at - 4));
    store<u32>(columnOf + at, load<u32>(columnOf + at - 4));
    at -= 4;
  }
  store<f32>(values + at, value);
  store<u32>(columnOf + at, column);
  return min(count + 1, k);
}

function selectRow(x: usize, columns: u32, values: usize, columnOf: usize, k: u32): void {
  let count: u32 = 0;
  let column: u32 = 0;
  for (; column < k; column++) {
    count = insert(values, columnOf, count, k, load<f32>(x + (<usize>column << 2)), column);
  }
  const last = values + (<usize>(k - 1) << 2);
  let floor = load<f32>(last);
  for (; column + 4 <= columns; column += 4) {
    const at = x + (<usize>column << 2);
    if (!v128.any_true(f32x4.gt(v128.load(at), f32x4.splat(floor)))) continue;
    for (let i: u32 = 0; i < 4; i++) {
      const value = load<f32>(at + (<usize>i << 2));
      if (value > floor) {
        insert(values, columnOf, k, k, value, column + i);
        floor = load<f32>(last);
      }
    }
  }
  for (; column < columns; column++) {
    const value = load<f32>(x + (<usize>column << 2));
    if (value > load<f32>(last)) insert(values, columnOf, k, k, value, column);
  }
}

/** Σ e^(scale (x - largest)); parts of 1024 in f32, their sum in f64. */
function sumOfPowers(x: usize, columns: u32, largest: f32, scale: f32): f32 {
  const bytes = <usize>columns << 2;
  const whole = bytes & ~15;
  const largest4 = f32x4.splat(largest);
  let total: f64 = 0;
  let i: usize = 0;
  while (i < whole) {
    let part = f32x4.splat(0);
    for (const end = min(whole, i + 4096); i < end; i += 16) {
      part = f32x4.add(part, exp4(f32x4.mul(f32x4.sub(v128.load(x + i), largest4), f32x4.splat(scale))));
    }
    total += <f64>f32x4.extract_lane(part, 0) + <f64>f32x4.extract_lane(part, 1);
    total += <f64>f32x4.extract_lane(part, 2) + <f64>f32x4.extract_lane(part, 3);
  }
  for (; i < bytes; i += 4) total += <f64>exp1((load<f32>(x + i) - largest) * scale);
  return <f32>total;
}

export function topK(call: TopKCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const k = call.k;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const x = call.x + ((<usize>row * <usize>columns) << 2);
    const list = (<usize>row * <usize>k) << 2;
    const values = call.values + list;
    selectRow(x, columns, values, call.columnOf + list, k);
    const total = sumOfPowers(x, columns, load<f32>(values), call.scale);
    store<f32>(call.total + (<usize>row << 2), total);
  }
}
