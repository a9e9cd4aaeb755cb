// One number a row.

import { largestOf } from "../argmax/argmax.as";
import { shareBegin } from "../call.as";
import { TokenLogProbCall } from "../calls/token-log-prob.as";
import { sumOfPowers } from "../softmax/softmax.as";

export function tokenLogProb(call: TokenLogProbCall, thread: i32, threads: i32): void {
  const columns = call.columns;
  const end = shareBegin(call.rows, thread + 1, threads);
  for (let row = shareBegin(call.rows, thread, threads); row < end; row++) {
    const logits = call.logits + ((<usize>row * <usize>columns) << 2);
    const target = load<u32>(call.targets + (<usize>row << 2));
    const largest = largestOf(logits, columns);
    const total = sumOfPowers(logits, columns, largest); // NaN where the largest is, or is -Infinity
    const difference = <f64>load<f32>(logits + (<usize>target << 2)) - <f64>largest;
    store<f32>(call.y + (<usize>row << 2), <f32>(difference - Math.log(total)));
  }
}
