// token-log-prob: one number per row. Call: logits, targets, y, rows, columns.

import { largestOf } from "../argmax/argmax.as";
import { shareBegin, word } from "../call.as";
import { sumOfPowers } from "../softmax/softmax.as";

export function tokenLogProb(call: usize, thread: i32, threads: i32): void {
  const columns = word(call, 4);
  const end = shareBegin(word(call, 3), thread + 1, threads);
  for (let row = shareBegin(word(call, 3), thread, threads); row < end; row++) {
    const logits = <usize>word(call, 0) + ((<usize>row * <usize>columns) << 2);
    const target = load<u32>(<usize>word(call, 1) + (<usize>row << 2));
    const largest = largestOf(logits, columns);
    const total = sumOfPowers(logits, columns, largest);
    const difference = <f64>load<f32>(logits + (<usize>target << 2)) - <f64>largest;
    store<f32>(<usize>word(call, 2) + (<usize>row << 2), <f32>(difference - Math.log(total)));
  }
}
