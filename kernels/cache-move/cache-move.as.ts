// cache-move: copies of slots. Call: moves, cache, rows, kvHeads, headDim, slotCount.

import { shareBegin, word } from "../call.as";

export function cacheMove(call: usize, thread: i32, threads: i32): void {
  const bytes = <usize>(word(call, 3) * word(call, 4)) << 3;
  const cache = <usize>word(call, 1);
  const end = shareBegin(word(call, 2), thread + 1, threads);
  for (let row = shareBegin(word(call, 2), thread, threads); row < end; row++) {
    const move = <usize>word(call, 0) + (<usize>row << 3);
    memory.copy(cache + <usize>load<u32>(move, 4) * bytes, cache + <usize>load<u32>(move) * bytes, bytes);
  }
}
