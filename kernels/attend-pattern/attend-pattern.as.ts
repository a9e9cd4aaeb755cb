// A row of scores, or their softmax, for each (row, head).

import { rangeOf, scoreOf } from "../attend/wasm/keys.as";
import { isVisible } from "../attend/wasm/visible.as";
import { headBytes, headNumbers } from "../cache/heads.as";
import { dot, scratchAddress, shareBegin } from "../call.as";
import { AttendPatternCall } from "../calls/attend-pattern.as";
import { exp1 } from "../math.as";

function patternOf<T>(call: AttendPatternCall, row: u32, head: u32): void {
  const headDim = call.headDim;
  const kvHeads = call.kvHeads;
  const kvHead = head / (call.heads / kvHeads);
  const columns = call.columns;
  const width = <usize>(columns + call.sourceColumns);
  const q = call.q + (<usize>((row * call.heads + head) * headDim) << 2);
  const line = call.pattern + ((<usize>(row * call.heads + head) * width) << 2);
  const source = call.sourceCache;
  const range = rangeOf(call, row);
  const begin = load<u32>(range);
  const end = load<u32>(range, 4);
  const room = scratchAddress();
  const position = load<u32>(range, 8);
  let largest: f32 = -Infinity;
  for (let i: usize = 0; i < width; i++) store<f32>(line + (i << 2), -Infinity);
  for (let entry = begin; entry < end; entry++) {
    const at = call.entries + (<usize>entry << 4);
    const key = <usize>(load<u32>(at) * 2 * kvHeads + kvHead) * headBytes<T>(headDim);
    const keyPosition = load<u32>(at, 4);
    const keyMark = load<u32>(at, 8);
    const bias = load<f32>(at, 12);
    if (isVisible(call, position, load<u32>(range, 12), keyPosition, keyMark)) {
      const score = scoreOf(call, head, dot(q, headNumbers<T>(call.cache + key, headDim, room), headDim), bias, false);
      store<f32>(line + (<usize>(entry - begin) << 2), score);
      largest = max(largest, score);
    }
    if (source != 0 && (keyMark & 1) == 1 && keyPosition <= position) {
      const score = scoreOf(call, head, dot(q, headNumbers<T>(source + key, headDim, room), headDim), bias, true);
      store<f32>(line + (<usize>(columns + entry - begin) << 2), score);
      largest = max(largest, score);
    }
  }
  if (call.kind == 0) return;
  if (largest == Infinity) largest = NaN;
  let total: f32 = 0;
  for (let i: usize = 0; i < width; i++) {
    const score = load<f32>(line + (i << 2));
    const share: f32 = score == -Infinity ? 0 : exp1(score - largest);
    store<f32>(line + (i << 2), share);
    total += share;
  }
  if (total == 0 || isNaN(total)) return;
  for (let i: usize = 0; i < width; i++) store<f32>(line + (i << 2), load<f32>(line + (i << 2)) / total);
}

function patterns<T>(call: AttendPatternCall, thread: i32, threads: i32): void {
  const heads = call.heads;
  const end = shareBegin(call.rows * heads, thread + 1, threads);
  for (let pair = shareBegin(call.rows * heads, thread, threads); pair < end; pair++) {
    patternOf<T>(call, pair / heads, pair % heads);
  }
}

export function attendPatternF32(call: AttendPatternCall, thread: i32, threads: i32): void {
  patterns<f32>(call, thread, threads);
}
export function attendPatternF16(call: AttendPatternCall, thread: i32, threads: i32): void {
  patterns<i16>(call, thread, threads);
}
export function attendPatternInt8(call: AttendPatternCall, thread: i32, threads: i32): void {
  patterns<i8>(call, thread, threads);
}
