// Mean norms of keys, a row at a time.

import { headBytes, headNumbers } from "../cache/heads.as";
import { dot, scratchAddress, shareBegin } from "../call.as";
import { KeyNormCall } from "../calls/key-norm.as";

function norms<T>(call: KeyNormCall, thread: i32, threads: i32): void {
  const rows = call.rows;
  const kvHeads = call.kvHeads;
  const headDim = call.headDim;
  const bytes = headBytes<T>(headDim);
  const slots = call.slots + ((<usize>call.list * <usize>rows) << 2);
  const end = shareBegin(rows, thread + 1, threads);
  for (let row = shareBegin(rows, thread, threads); row < end; row++) {
    const slot = <usize>load<u32>(slots + (<usize>row << 2));
    let keys = call.cache + slot * 2 * <usize>kvHeads * bytes;
    let total: f32 = 0;
    for (let head: u32 = 0; head < kvHeads; head++, keys += bytes) {
      const key = headNumbers<T>(keys, headDim, scratchAddress());
      total += sqrt(dot(key, key, headDim));
    }
    store<f32>(call.y + (<usize>row << 2), total / <f32>kvHeads);
  }
}

export function keyNormF32(call: KeyNormCall, thread: i32, threads: i32): void {
  norms<f32>(call, thread, threads);
}
export function keyNormF16(call: KeyNormCall, thread: i32, threads: i32): void {
  norms<i16>(call, thread, threads);
}
export function keyNormInt8(call: KeyNormCall, thread: i32, threads: i32): void {
  norms<i8>(call, thread, threads);
}
