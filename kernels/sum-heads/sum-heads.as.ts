// Adds up the lines of a row's heads, four columns at a time.

import { shareBegin } from "../call.as";
import { SumHeadsCall } from "../calls/sum-heads.as";

function sumRow(call: SumHeadsCall, row: u32): void {
  const heads = call.heads;
  const columns = call.columns;
  const stride = <usize>call.stride << 2;
  const bytes = <usize>columns << 2;
  const pattern = call.pattern + <usize>row * <usize>heads * stride;
  const y = call.y + <usize>row * bytes;
  memory.copy(y, pattern, bytes);
  for (let head: u32 = 1; head < heads; head++) {
    const line = pattern + <usize>head * stride;
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(line + i)));
    for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(line + i));
  }
}

export function sumHeads(call: SumHeadsCall, thread: i32, threads: i32): void {
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) sumRow(call, row);
}
