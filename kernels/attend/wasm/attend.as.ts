// Attention with an online softmax, headDim a multiple of 4. A row's visible keys are gathered in blocks (keys.as.ts), which stay in
// the first-level cache while all heads use them. Each head keeps its largest score, its sum of shares and, in z, its sum of values,
// and scales the last two down when a block raises the first.
//
//   scratch behind the keys   scores [BLOCK + 4] of two heads · (largest, total) of each head · expanded keys

import { headBytes as packedBytes } from "../../cache/heads.as";
import { doneTaking, shareBegin, takeNext } from "../../call.as";
import { AttendCall } from "../../calls/attend.as";
import { addValues, dotKeys } from "./dots.as";
import { expandBlock, expandedAddresses, expandedCount } from "./expand.as";
import { afterKeys, gatherKeys, gatheredCount, keyAddresses, nextEntry, rangeOf } from "./keys.as";
import { SCORES, stateOf, toShares } from "./softmax.as";

/** Heads begin..end of one row. */
function attendRow<T>(call: AttendCall, row: u32, begin: u32, end: u32): void {
  const headDim = <i32>call.headDim;
  const headBytes = <usize>headDim << 2;
  const group = call.heads / call.kvHeads;
  const packed = packedBytes<T>(headDim);
  const valueOffset = <usize>call.kvHeads * packed;
  const most = expandedCount<T>(headDim);
  const expanded = expandedAddresses(stateOf(call.heads));
  const keys = isFloat<T>() ? keyAddresses() : expanded;
  const at = <usize>(row * call.heads) * headBytes;
  const q = call.q + at;
  const z = call.z + at;
  const range = rangeOf(call, row);
  const lastEntry = load<u32>(range, 4);
  const scores = afterKeys();
  memory.fill(z + <usize>begin * headBytes, 0, <usize>(end - begin) * headBytes);
  for (let head = begin; head < end; head++) {
    store<f32>(stateOf(head), -Infinity);
    store<f32>(stateOf(head), 0, 4);
  }
  for (let entry = load<u32>(range); entry < lastEntry; ) {
    gatherKeys<T>(call, range, entry, lastEntry, most);
    entry = nextEntry;
    const count = gatheredCount;
    let expandedHead: u32 = -1;
    for (let head = begin; head < end; ) {
      const kvHead = head / group;
      let keyOffset = <usize>kvHead * packed;
      let valueAt = valueOffset + keyOffset;
      if (!isFloat<T>()) {
        if (kvHead != expandedHead) expandBlock<T>(keyAddresses(), count, keyOffset, valueAt, headDim, expanded);
        expandedHead = kvHead;
        keyOffset = 0;
        valueAt = headBytes;
      }
      const isPair = head + 1 < end && (head + 1) / group == head / group;
      const first = <usize>head * headBytes;
      const second = isPair ? first + headBytes : first;
      const other = isPair ? scores + SCORES : scores;
      dotKeys(isPair, q + first, q + second, keyOffset, headDim, count, keys, scores, other);
      toShares(call, head, count, scores, z + first);
      if (isPair) toShares(call, head + 1, count, other, z + second);
      addValues(isPair, z + first, z + second, valueAt, headDim, count, keys, scores, other);
      head += isPair ? 2 : 1;
    }
  }
  for (let head = begin; head < end; head++) {
    const total = load<f32>(stateOf(head), 4);
    if (total == 0) continue;
    const inverse = f32x4.splat(1 / total);
    const first = z + <usize>head * headBytes;
    for (let i: usize = 0; i < headBytes; i += 16) v128.store(first + i, f32x4.mul(v128.load(first + i), inverse));
  }
}

/** Whole rows, taken one after the other, where there are many, as later rows see more keys; contiguous heads where there are few. */
function attendAll<T>(call: AttendCall, thread: i32, threads: i32): void {
  const rows = call.rows;
  const heads = call.heads;
  if (rows >= <u32>(threads << 2)) {
    for (let row = takeNext(); row < rows; row = takeNext()) attendRow<T>(call, row, 0, heads);
    doneTaking(threads);
    return;
  }
  let pair = shareBegin(rows * heads, thread, threads);
  const end = shareBegin(rows * heads, thread + 1, threads);
  while (pair < end) {
    const row = pair / heads;
    const next = min(end, (row + 1) * heads);
    attendRow<T>(call, row, pair - row * heads, next - row * heads);
    pair = next;
  }
}

export function attendF32(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<f32>(call, thread, threads);
}
export function attendF16(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<i16>(call, thread, threads);
}
export function attendInt8(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<i8>(call, thread, threads);
}
