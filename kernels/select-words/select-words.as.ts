// Copies words.

import { SelectWordsCall } from "../calls/select-words.as";

export function selectWords(call: SelectWordsCall, thread: i32, threads: i32): void {
  if (thread > 0) return;
  for (let i: usize = 0, end = <usize>call.rows << 2; i < end; i += 4) {
    store<u32>(call.y + i, load<u32>(call.x + (<usize>load<u32>(call.indices + i) << 2)));
  }
}
