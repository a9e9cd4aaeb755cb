// attend-pattern: a row of scores, or their softmax, for each (row, head). Words as in attend, the output being `pattern`;
// after the rule come columns, sourceColumns and kind.

import { headBytes, headNumbers } from "../cache/heads.as";
import { dot, scratchAddress, shareBegin, word } from "../call.as";
import { exp1 } from "../math.as";
import { HEAD_DIM, HEADS, KV_HEADS, rangeOf, RULE, scoreOf } from "../attend/attend.keys.as";
import { isVisible } from "../attend/visible.as";

function patternOf<T>(call: usize, row: u32, head: u32): void {
  const headDim = word(call, HEAD_DIM);
  const kvHeads = word(call, KV_HEADS);
  const kvHead = head / (word(call, HEADS) / kvHeads);
  const columns = word(call, 22);
  const width = <usize>(columns + word(call, 23));
  const q = <usize>word(call, 0) + (<usize>((row * word(call, HEADS) + head) * headDim) << 2);
  const line = <usize>word(call, 6) + ((<usize>(row * word(call, HEADS) + head) * width) << 2);
  const source = <usize>word(call, 4);
  const range = rangeOf(call, row);
  const begin = load<u32>(range);
  const end = load<u32>(range, 4);
  const room = scratchAddress();
  const position = load<u32>(range, 8);
  let largest: f32 = -Infinity;
  for (let i: usize = 0; i < width; i++) store<f32>(line + (i << 2), -Infinity);
  for (let entry = begin; entry < end; entry++) {
    const at = <usize>word(call, 3) + (<usize>entry << 4);
    const key = <usize>(load<u32>(at) * 2 * kvHeads + kvHead) * headBytes<T>(headDim);
    const keyPosition = load<u32>(at, 4);
    const keyMark = load<u32>(at, 8);
    const bias = load<f32>(at, 12);
    if (isVisible(call, RULE, position, load<u32>(range, 12), keyPosition, keyMark)) {
      const score = scoreOf(call, head, dot(q, headNumbers<T>(<usize>word(call, 1) + key, headDim, room), headDim), bias, false);
      store<f32>(line + (<usize>(entry - begin) << 2), score);
      largest = max(largest, score);
    }
    if (source != 0 && (keyMark & 1) == 1 && keyPosition <= position) {
      const score = scoreOf(call, head, dot(q, headNumbers<T>(source + key, headDim, room), headDim), bias, true);
      store<f32>(line + (<usize>(columns + entry - begin) << 2), score);
      largest = max(largest, score);
    }
  }
  if (word(call, 24) == 0) return;
  let total: f32 = 0;
  for (let i: usize = 0; i < width; i++) {
    const score = load<f32>(line + (i << 2));
    const weight: f32 = score == -Infinity ? 0 : exp1(score - largest);
    store<f32>(line + (i << 2), weight);
    total += weight;
  }
  if (total == 0) return;
  for (let i: usize = 0; i < width; i++) store<f32>(line + (i << 2), load<f32>(line + (i << 2)) / total);
}

function patterns<T>(call: usize, thread: i32, threads: i32): void {
  const heads = word(call, HEADS);
  const end = shareBegin(word(call, 7) * heads, thread + 1, threads);
  for (let pair = shareBegin(word(call, 7) * heads, thread, threads); pair < end; pair++) {
    patternOf<T>(call, pair / heads, pair % heads);
  }
}

export function attendPatternF32(call: usize, thread: i32, threads: i32): void {
  patterns<f32>(call, thread, threads);
}
export function attendPatternF16(call: usize, thread: i32, threads: i32): void {
  patterns<i16>(call, thread, threads);
}
export function attendPatternInt8(call: usize, thread: i32, threads: i32): void {
  patterns<i8>(call, thread, threads);
}
