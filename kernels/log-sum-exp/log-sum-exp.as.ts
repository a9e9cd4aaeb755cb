// Two numbers a row.

import { largestOf } from "../argmax/argmax.as";
import { shareBegin } from "../call.as";
import { LogSumExpCall } from "../calls/log-sum-exp.as";
import { sumOfPowers } from "../softmax/softmax.as";

export function logSumExp(call: LogSumExpCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const x = call.x + ((<usize>row * <usize>columns) << 2);
    const y = call.y + (<usize>row << 3);
    const largest = largestOf(x, columns);
    const most: f32 = largest > -Infinity ? largest : NaN;
    store<f32>(y, most);
    store<f32>(y, call.wantsSum ? <f32>(<f64>most + Math.log(sumOfPowers(x, columns, largest))) : most, 4);
  }
}
