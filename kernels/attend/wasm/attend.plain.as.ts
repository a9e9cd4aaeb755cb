// Attention in any shape: two plain passes over a row's keys for each head.

import { headBytes, headNumbers } from "../../cache/heads.as";
import { dot, shareBegin } from "../../call.as";
import { AttendCall } from "../../calls/attend.as";
import { exp1 } from "../../math.as";
import { afterKeys, BLOCK, gatherKeys, gatheredCount, keyAddresses, keyBiases, keySources, nextEntry, rangeOf, scoreOf } from "./keys.as";

/** The score of gathered key i for one head of the row whose q lies at `q`. */
@inline
function gatheredScore<T>(call: AttendCall, head: u32, q: usize, i: i32): f32 {
  const headDim = call.headDim;
  const kvHead = head / (call.heads / call.kvHeads);
  const at = <usize>i << 2;
  const place = <usize>load<u32>(keyAddresses() + at) + <usize>kvHead * headBytes<T>(headDim);
  const key = headNumbers<T>(place, headDim, afterKeys());
  const product = dot(q, key, <i32>headDim);
  return scoreOf(call, head, product, load<f32>(keyBiases() + at), load<f32>(keySources() + at) != 0);
}

function attendHead<T>(call: AttendCall, row: u32, head: u32): void {
  const headDim = call.headDim;
  const kvHeads = call.kvHeads;
  const kvHead = head / (call.heads / kvHeads);
  const at = <usize>((row * call.heads + head) * headDim) << 2;
  const q = call.q + at;
  const z = call.z + at;
  const range = rangeOf(call, row);
  const end = load<u32>(range, 4);
  let largest: f32 = -Infinity;
  for (let entry = load<u32>(range); entry < end; entry = nextEntry) {
    gatherKeys<T>(call, range, entry, end, BLOCK);
    for (let i = 0; i < gatheredCount; i++) largest = max(largest, gatheredScore<T>(call, head, q, i));
  }
  memory.fill(z, 0, <usize>headDim << 2);
  if (largest == -Infinity) return;
  let total: f32 = 0;
  for (let entry = load<u32>(range); entry < end; entry = nextEntry) {
    gatherKeys<T>(call, range, entry, end, BLOCK);
    for (let i = 0; i < gatheredCount; i++) {
      const share = exp1(gatheredScore<T>(call, head, q, i) - largest);
      const stored = <usize>load<u32>(keyAddresses() + (<usize>i << 2)) + <usize>(kvHeads + kvHead) * headBytes<T>(headDim);
      const value = headNumbers<T>(stored, headDim, afterKeys());
      total += share;
      for (let d: usize = 0; d < <usize>headDim << 2; d += 4) {
        store<f32>(z + d, load<f32>(z + d) + share * load<f32>(value + d));
      }
    }
  }
  for (let d: usize = 0; d < <usize>headDim << 2; d += 4) store<f32>(z + d, load<f32>(z + d) / total);
}

function attendAll<T>(call: AttendCall, thread: i32, threads: i32): void {
  const heads = call.heads;
  const end = shareBegin(call.rows * heads, thread + 1, threads);
  for (let pair = shareBegin(call.rows * heads, thread, threads); pair < end; pair++) {
    attendHead<T>(call, pair / heads, pair % heads);
  }
}

export function attendPlainF32(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<f32>(call, thread, threads);
}
export function attendPlainF16(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<i16>(call, thread, threads);
}
export function attendPlainInt8(call: AttendCall, thread: i32, threads: i32): void {
  attendAll<i8>(call, thread, threads);
}
