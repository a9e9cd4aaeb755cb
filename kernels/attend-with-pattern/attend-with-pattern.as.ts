// attend-with-pattern: z = pattern · v. Call: pattern, cache, ranges, entries, sourceCache, z, rows, heads, kvHeads, headDim,
// list, slotCount, entryCount, columns, sourceColumns.

import { headBytes, headNumbers } from "../cache/heads.as";
import { madd, scratchAddress, shareBegin, word } from "../call.as";

/** z [n] += weight · value */
@inline
function addScaled(z: usize, weight: f32, value: usize, n: u32): void {
  let i: usize = 0;
  const bytes = <usize>n << 2;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(z + i, madd(f32x4.splat(weight), v128.load(value + i), v128.load(z + i)));
  }
  for (; i < bytes; i += 4) store<f32>(z + i, load<f32>(z + i) + weight * load<f32>(value + i));
}

function combine<T>(call: usize, row: u32, head: u32): void {
  const heads = word(call, 7);
  const kvHeads = word(call, 8);
  const headDim = word(call, 9);
  const columns = word(call, 13);
  const source = <usize>word(call, 4);
  const kvHead = head / (heads / kvHeads);
  const line = <usize>word(call, 0) + (<usize>((row * heads + head) * (columns + word(call, 14))) << 2);
  const z = <usize>word(call, 5) + (<usize>((row * heads + head) * headDim) << 2);
  const range = <usize>word(call, 2) + (<usize>(word(call, 10) * word(call, 6) + row) << 4);
  const begin = load<u32>(range);
  const end = load<u32>(range, 4);
  const room = scratchAddress();
  memory.fill(z, 0, <usize>headDim << 2);
  for (let entry = begin; entry < end; entry++) {
    const slot = load<u32>(<usize>word(call, 3) + (<usize>entry << 4));
    const value = <usize>((slot * 2 + 1) * kvHeads + kvHead) * headBytes<T>(headDim);
    const at = line + (<usize>(entry - begin) << 2);
    addScaled(z, load<f32>(at), headNumbers<T>(<usize>word(call, 1) + value, headDim, room), headDim);
    if (source) addScaled(z, load<f32>(at + (<usize>columns << 2)), headNumbers<T>(source + value, headDim, room), headDim);
  }
}

function combineAll<T>(call: usize, thread: i32, threads: i32): void {
  const heads = word(call, 7);
  const end = shareBegin(word(call, 6) * heads, thread + 1, threads);
  for (let pair = shareBegin(word(call, 6) * heads, thread, threads); pair < end; pair++) {
    combine<T>(call, pair / heads, pair % heads);
  }
}

export function attendWithPatternF32(call: usize, thread: i32, threads: i32): void {
  combineAll<f32>(call, thread, threads);
}
export function attendWithPatternF16(call: usize, thread: i32, threads: i32): void {
  combineAll<i16>(call, thread, threads);
}
export function attendWithPatternInt8(call: usize, thread: i32, threads: i32): void {
  combineAll<i8>(call, thread, threads);
}
