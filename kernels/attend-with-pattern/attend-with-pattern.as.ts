// z = pattern · v, a head of a row at a time.

import { headBytes, headNumbers } from "../cache/heads.as";
import { madd, scratchAddress, shareBegin } from "../call.as";
import { AttendWithPatternCall } from "../calls/attend-with-pattern.as";

/** z [n] += share · value */
@inline
function addScaled(z: usize, share: f32, value: usize, n: u32): void {
  let i: usize = 0;
  const bytes = <usize>n << 2;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(z + i, madd(f32x4.splat(share), v128.load(value + i), v128.load(z + i)));
  }
  for (; i < bytes; i += 4) store<f32>(z + i, load<f32>(z + i) + share * load<f32>(value + i));
}

function combine<T>(call: AttendWithPatternCall, row: u32, head: u32): void {
  const heads = call.heads;
  const kvHeads = call.kvHeads;
  const headDim = call.headDim;
  const columns = call.columns;
  const source = call.sourceCache;
  const kvHead = head / (heads / kvHeads);
  const line = call.pattern + (<usize>((row * heads + head) * (columns + call.sourceColumns)) << 2);
  const z = call.z + (<usize>((row * heads + head) * headDim) << 2);
  const range = call.ranges + (<usize>(call.list * call.rows + row) << 4);
  const begin = load<u32>(range);
  const end = load<u32>(range, 4);
  const room = scratchAddress();
  memory.fill(z, 0, <usize>headDim << 2);
  for (let entry = begin; entry < end; entry++) {
    const slot = load<u32>(call.entries + (<usize>entry << 4));
    const value = <usize>((slot * 2 + 1) * kvHeads + kvHead) * headBytes<T>(headDim);
    const at = line + (<usize>(entry - begin) << 2);
    addScaled(z, load<f32>(at), headNumbers<T>(call.cache + value, headDim, room), headDim);
    if (source) addScaled(z, load<f32>(at + (<usize>columns << 2)), headNumbers<T>(source + value, headDim, room), headDim);
  }
}

function combineAll<T>(call: AttendWithPatternCall, thread: i32, threads: i32): void {
  const heads = call.heads;
  const end = shareBegin(call.rows * heads, thread + 1, threads);
  for (let pair = shareBegin(call.rows * heads, thread, threads); pair < end; pair++) {
    combine<T>(call, pair / heads, pair % heads);
  }
}

export function attendWithPatternF32(call: AttendWithPatternCall, thread: i32, threads: i32): void {
  combineAll<f32>(call, thread, threads);
}
export function attendWithPatternF16(call: AttendWithPatternCall, thread: i32, threads: i32): void {
  combineAll<i16>(call, thread, threads);
}
export function attendWithPatternInt8(call: AttendWithPatternCall, thread: i32, threads: i32): void {
  combineAll<i8>(call, thread, threads);
}
