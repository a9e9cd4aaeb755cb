// select-rows: copies. Call: x, indices, y, rows, dim, sourceRows.

import { shareBegin, word } from "../call.as";

export function selectRows(call: usize, thread: i32, threads: i32): void {
  const bytes = <usize>word(call, 4) << 2;
  const end = shareBegin(word(call, 3), thread + 1, threads);
  for (let row = shareBegin(word(call, 3), thread, threads); row < end; row++) {
    const index = <usize>load<u32>(<usize>word(call, 1) + (<usize>row << 2));
    memory.copy(<usize>word(call, 2) + <usize>row * bytes, <usize>word(call, 0) + index * bytes, bytes);
  }
}
