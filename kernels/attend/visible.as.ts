// visible.ts in AssemblyScript: which key a query may see. The rule's six parameters are words `rule`.. of the call.

import { word } from "../call.as";

/** True if the key at position j with mark `keyMark` is visible to the query at position i with mark `queryMark`. */
export function isVisible(call: usize, rule: i32, i: u32, queryMark: u32, j: u32, keyMark: u32): bool {
  if (j > i) return false;
  const window = word(call, rule);
  const keepWindow = word(call, rule + 1);
  const segmented = word(call, rule + 3);
  if (window > 0 && i - j >= window) return false;
  if (keepWindow == 0 && segmented == 0) return true;
  if (j < word(call, rule + 2)) return true;
  if (keepWindow > 0 && i - j < keepWindow) return true;
  if (segmented == 0) return false;
  if (<i32>(queryMark >> 1) - <i32>(keyMark >> 1) <= <i32>word(call, rule + 4)) return true;
  return (keyMark & 1) == 1 && (word(call, rule + 5) == 1 || (queryMark & 1) == 0);
}
