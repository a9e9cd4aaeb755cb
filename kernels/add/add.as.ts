import { shareBegin } from "../call.as";
import { AddCall } from "../calls/add.as";

export function add(call: AddCall, thread: i32, threads: i32): void {
  const a = call.a;
  const b = call.b;
  const y = call.y;
  const count = call.rows * call.dim;
  let i = <usize>shareBegin(count, thread, threads) << 2;
  const end = <usize>shareBegin(count, thread + 1, threads) << 2;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(a + i) + load<f32>(b + i));
}
