// cache-move: copies of slots. Call: moves, cache, rows, kvHeads, headDim, slotCount.

import { headBytes } from "../cache/heads.as";
import { shareBegin, word } from "../call.as";

@inline
function move<T>(call: usize, thread: i32, threads: i32): void {
  const bytes = <usize>word(call, 3) * 2 * headBytes<T>(word(call, 4));
  const cache = <usize>word(call, 1);
  const end = shareBegin(word(call, 2), thread + 1, threads);
  for (let row = shareBegin(word(call, 2), thread, threads); row < end; row++) {
    const move = <usize>word(call, 0) + (<usize>row << 3);
    memory.copy(cache + <usize>load<u32>(move, 4) * bytes, cache + <usize>load<u32>(move) * bytes, bytes);
  }
}

export function cacheMoveF32(call: usize, thread: i32, threads: i32): void {
  move<f32>(call, thread, threads);
}
export function cacheMoveF16(call: usize, thread: i32, threads: i32): void {
  move<i16>(call, thread, threads);
}
export function cacheMoveInt8(call: usize, thread: i32, threads: i32): void {
  move<i8>(call, thread, threads);
}
