// key-norm, a row at a time. Call: cache, slots, y, rows, kvHeads, headDim, list, slotCount.

import { headBytes, headNumbers } from "../cache/heads.as";
import { dot, scratchAddress, shareBegin, word } from "../call.as";

function norms<T>(call: usize, thread: i32, threads: i32): void {
  const rows = word(call, 3);
  const kvHeads = word(call, 4);
  const headDim = word(call, 5);
  const bytes = headBytes<T>(headDim);
  const slots = <usize>word(call, 1) + ((<usize>word(call, 6) * <usize>rows) << 2);
  const end = shareBegin(rows, thread + 1, threads);
  for (let row = shareBegin(rows, thread, threads); row < end; row++) {
    const slot = <usize>load<u32>(slots + (<usize>row << 2));
    let keys = <usize>word(call, 0) + slot * 2 * <usize>kvHeads * bytes;
    let total: f32 = 0;
    for (let head: u32 = 0; head < kvHeads; head++, keys += bytes) {
      const key = headNumbers<T>(keys, headDim, scratchAddress());
      total += sqrt(dot(key, key, headDim));
    }
    store<f32>(<usize>word(call, 2) + (<usize>row << 2), total / <f32>kvHeads);
  }
}

export function keyNormF32(call: usize, thread: i32, threads: i32): void {
  norms<f32>(call, thread, threads);
}
export function keyNormF16(call: usize, thread: i32, threads: i32): void {
  norms<i16>(call, thread, threads);
}
export function keyNormInt8(call: usize, thread: i32, threads: i32): void {
  norms<i8>(call, thread, threads);
}
