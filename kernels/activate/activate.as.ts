import { shareBegin } from "../call.as";
import { ActivateCall } from "../calls/activate.as";
import { activate4 } from "../math.as";

export function activate(call: ActivateCall, thread: i32, threads: i32): void {
  const x = call.x;
  const up = call.up;
  const y = call.y;
  const code = call.activation;
  const count = call.rows * call.dim;
  let i = <usize>shareBegin(count, thread, threads) << 2;
  const end = <usize>shareBegin(count, thread + 1, threads) << 2;
  for (; i + 16 <= end; i += 16) {
    const value = activate4(code, v128.load(x + i));
    v128.store(y + i, up ? f32x4.mul(value, v128.load(up + i)) : value);
  }
  for (; i < end; i += 4) {
    const value = f32x4.extract_lane(activate4(code, v128.load_splat<f32>(x + i)), 0);
    store<f32>(y + i, up ? value * load<f32>(up + i) : value);
  }
}
