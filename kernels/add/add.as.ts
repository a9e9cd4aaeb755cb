// add. Call: a, b, y, rows, dim.

import { shareBegin, word } from "../call.as";

export function add(call: usize, thread: i32, threads: i32): void {
  const a = <usize>word(call, 0);
  const b = <usize>word(call, 1);
  const y = <usize>word(call, 2);
  const count = word(call, 3) * word(call, 4);
  let i = <usize>shareBegin(count, thread, threads) << 2;
  const end = <usize>shareBegin(count, thread + 1, threads) << 2;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(a + i) + load<f32>(b + i));
}
