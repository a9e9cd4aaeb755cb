// attend, two plain passes over a row's keys for each head: any shape.

import { headBytes, headNumbers } from "../cache/heads.as";
import { dot, shareBegin, word } from "../call.as";
import { exp1 } from "../math.as";
import { afterKeys, BLOCK, gatherKeys, gatheredCount, HEAD_DIM, HEADS, keyAddresses, keyBiases, keySources, KV_HEADS, nextEntry, rangeOf, scoreOf } from "./attend.keys.as";

/** The score of gathered key i for one head of the row whose q lies at `q`. */
@inline
function gatheredScore<T>(call: usize, head: u32, q: usize, i: i32): f32 {
  const headDim = word(call, HEAD_DIM);
  const kvHead = head / (word(call, HEADS) / word(call, KV_HEADS));
  const at = <usize>i << 2;
  const place = <usize>load<u32>(keyAddresses() + at) + <usize>kvHead * headBytes<T>(headDim);
  const key = headNumbers<T>(place, headDim, afterKeys());
  const product = dot(q, key, <i32>headDim);
  return scoreOf(call, head, product, load<f32>(keyBiases() + at), load<f32>(keySources() + at) != 0);
}

function attendHead<T>(call: usize, row: u32, head: u32): void {
  const headDim = word(call, HEAD_DIM);
  const kvHeads = word(call, KV_HEADS);
  const kvHead = head / (word(call, HEADS) / kvHeads);
  const at = <usize>((row * word(call, HEADS) + head) * headDim) << 2;
  const q = <usize>word(call, 0) + at;
  const z = <usize>word(call, 6) + at;
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
      const weight = exp1(gatheredScore<T>(call, head, q, i) - largest);
      const stored = <usize>load<u32>(keyAddresses() + (<usize>i << 2)) + <usize>(kvHeads + kvHead) * headBytes<T>(headDim);
      const value = headNumbers<T>(stored, headDim, afterKeys());
      total += weight;
      for (let d: usize = 0; d < <usize>headDim << 2; d += 4) {
        store<f32>(z + d, load<f32>(z + d) + weight * load<f32>(value + d));
      }
    }
  }
  for (let d: usize = 0; d < <usize>headDim << 2; d += 4) store<f32>(z + d, load<f32>(z + d) / total);
}

function attendAll<T>(call: usize, thread: i32, threads: i32): void {
  const heads = word(call, HEADS);
  const end = shareBegin(word(call, 7) * heads, thread + 1, threads);
  for (let pair = shareBegin(word(call, 7) * heads, thread, threads); pair < end; pair++) {
    attendHead<T>(call, pair / heads, pair % heads);
  }
}

export function attendPlainF32(call: usize, thread: i32, threads: i32): void {
  attendAll<f32>(call, thread, threads);
}
export function attendPlainF16(call: usize, thread: i32, threads: i32): void {
  attendAll<i16>(call, thread, threads);
}
export function attendPlainInt8(call: usize, thread: i32, threads: i32): void {
  attendAll<i8>(call, thread, threads);
}
