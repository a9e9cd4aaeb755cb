// Copies slots.

import { headBytes } from "../cache/heads.as";
import { shareBegin } from "../call.as";
import { CacheMoveCall } from "../calls/cache-move.as";

@inline
function move<T>(call: CacheMoveCall, thread: i32, threads: i32): void {
  const bytes = <usize>call.kvHeads * 2 * headBytes<T>(call.headDim);
  const cache = call.cache;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const move = call.moves + (<usize>row << 3);
    memory.copy(cache + <usize>load<u32>(move, 4) * bytes, cache + <usize>load<u32>(move) * bytes, bytes);
  }
}

export function cacheMoveF32(call: CacheMoveCall, thread: i32, threads: i32): void {
  move<f32>(call, thread, threads);
}
export function cacheMoveF16(call: CacheMoveCall, thread: i32, threads: i32): void {
  move<i16>(call, thread, threads);
}
export function cacheMoveInt8(call: CacheMoveCall, thread: i32, threads: i32): void {
  move<i8>(call, thread, threads);
}
