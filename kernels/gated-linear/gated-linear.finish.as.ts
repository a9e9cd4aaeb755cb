// The end of a gated linear: act(gate + gateBias) · (up + upBias), from two tiles of sums [rows][8] to y.

import { GatedLinearCall } from "../calls/gated-linear.as";
import { activate4 } from "../math.as";

/** Finishes rows `row`.. of one panel; `panel` is its number. */
export function finishGated(call: GatedLinearCall, row: u32, rows: u32, panel: u32, gates: usize, ups: usize): void {
  const count = min<u32>(8, call.outputs - (panel << 3));
  const column = call.outputBegin + (panel << 3);
  for (const end = row + rows; row < end; row++, gates += 32, ups += 32) {
    if (count == 8) {
      finishFour(call, row, column, v128.load(gates), v128.load(ups));
      finishFour(call, row, column + 4, v128.load(gates, 16), v128.load(ups, 16));
      continue;
    }
    for (let i: u32 = 0; i < count; i++) {
      const at = <usize>i << 2;
      finishOneGated(call, row, column + i, load<f32>(gates + at), load<f32>(ups + at));
    }
  }
}

@inline
function finishFour(call: GatedLinearCall, row: u32, column: u32, gate: v128, up: v128): void {
  const gateBias = call.gateBias;
  const upBias = call.upBias;
  const at = <usize>column << 2;
  if (gateBias) gate = f32x4.add(gate, v128.load(gateBias + at));
  if (upBias) up = f32x4.add(up, v128.load(upBias + at));
  const y = call.y + ((<usize>row * <usize>call.outputStride) << 2) + at;
  v128.store(y, f32x4.mul(activate4(call.activation, gate), up));
}

/** The same for one pair of sums. */
export function finishOneGated(call: GatedLinearCall, row: u32, column: u32, gate: f32, up: f32): void {
  const gateBias = call.gateBias;
  const upBias = call.upBias;
  const at = <usize>column << 2;
  if (gateBias) gate += load<f32>(gateBias + at);
  if (upBias) up += load<f32>(upBias + at);
  const y = call.y + ((<usize>row * <usize>call.outputStride) << 2) + at;
  store<f32>(y, f32x4.extract_lane(activate4(call.activation, f32x4.splat(gate)), 0) * up);
}
