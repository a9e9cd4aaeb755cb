// sum-heads: the lines of a row's heads are added up, four columns at a time. Call: pattern, y, rows, heads, columns, stride.

import { shareBegin, word } from "../call.as";

function sumRow(call: usize, row: u32): void {
  const heads = word(call, 3);
  const columns = word(call, 4);
  const stride = <usize>word(call, 5) << 2;
  const bytes = <usize>columns << 2;
  const pattern = <usize>word(call, 0) + <usize>row * <usize>heads * stride;
  const y = <usize>word(call, 1) + <usize>row * bytes;
  memory.copy(y, pattern, bytes);
  for (let head: u32 = 1; head < heads; head++) {
    const line = pattern + <usize>head * stride;
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(line + i)));
    for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(line + i));
  }
}

export function sumHeads(call: usize, thread: i32, threads: i32): void {
  const end = shareBegin(word(call, 2), thread + 1, threads);
  for (let row = shareBegin(word(call, 2), thread, threads); row < end; row++) sumRow(call, row);
}
