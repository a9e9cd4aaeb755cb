// Copies rows.

import { shareBegin } from "../call.as";
import { SelectRowsCall } from "../calls/select-rows.as";

export function selectRows(call: SelectRowsCall, thread: i32, threads: i32): void {
  const bytes = <usize>call.dim << 2;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const index = <usize>load<u32>(call.indices + (<usize>row << 2));
    memory.copy(call.y + <usize>row * bytes, call.x + index * bytes, bytes);
  }
}
