// The end of a linear: softcap(act(sum + bias)) + residual, from a tile of sums [rows][8] to y.

import { LinearCall } from "../calls/linear.as";
import { activate4, softcap4 } from "../math.as";

/** Finishes rows `row`.. of one panel; `panel` is its number. */
export function finishLinear(call: LinearCall, row: u32, rows: u32, panel: u32, tile: usize): void {
  const count = min<u32>(8, call.outputs - (panel << 3));
  const column = call.outputBegin + (panel << 3);
  const stride = <usize>call.outputStride;
  const bias = call.bias;
  const residual = call.residual;
  const y = call.y;
  const code = call.activation;
  const cap = call.softcap;
  if (count < 8) {
    finishPart(call, row, rows, column, count, tile);
    return;
  }
  let first = f32x4.splat(0);
  let last = f32x4.splat(0);
  if (bias) {
    first = v128.load(bias + (<usize>column << 2));
    last = v128.load(bias + (<usize>column << 2), 16);
  }
  for (const end = row + rows; row < end; row++, tile += 32) {
    let a = f32x4.add(v128.load(tile), first);
    let b = f32x4.add(v128.load(tile, 16), last);
    if (code) {
      a = activate4(code, a);
      b = activate4(code, b);
    }
    if (cap > 0) {
      a = softcap4(cap, a);
      b = softcap4(cap, b);
    }
    const place = (<usize>row * stride + <usize>column) << 2;
    if (residual) {
      a = f32x4.add(a, v128.load(residual + place));
      b = f32x4.add(b, v128.load(residual + place, 16));
    }
    v128.store(y + place, a);
    v128.store(y + place, b, 16);
  }
}

/** The same for a last panel of fewer than eight outputs. */
function finishPart(call: LinearCall, row: u32, rows: u32, column: u32, count: u32, tile: usize): void {
  for (const end = row + rows; row < end; row++, tile += 32) {
    for (let i: u32 = 0; i < count; i++) {
      finishOne(call, row, column + i, load<f32>(tile + (<usize>i << 2)));
    }
  }
}

/** The same for one sum. */
export function finishOne(call: LinearCall, row: u32, column: u32, sum: f32): void {
  const bias = call.bias;
  const residual = call.residual;
  const place = (<usize>row * <usize>call.outputStride + <usize>column) << 2;
  if (bias) sum += load<f32>(bias + (<usize>column << 2));
  const value = softcap4(call.softcap, activate4(call.activation, f32x4.splat(sum)));
  const base: f32 = residual ? load<f32>(residual + place) : 0;
  store<f32>(call.y + place, base + f32x4.extract_lane(value, 0));
}
