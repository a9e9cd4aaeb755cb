// visible.ts in AssemblyScript. C is the call of any kernel that has the parameters of the rule.

/** True if the key at position j with mark `keyMark` is visible to the query at position i with mark `queryMark`. */
export function isVisible<C>(call: C, i: u32, queryMark: u32, j: u32, keyMark: u32): bool {
  if (j > i) return false;
  const window = call.window;
  const keepWindow = call.keepWindow;
  const segmented = call.segmented;
  if (window > 0 && i - j >= window) return false;
  if (keepWindow == 0 && segmented == 0) return true;
  if (j < call.sinks) return true;
  if (keepWindow > 0 && i - j < keepWindow) return true;
  if (segmented == 0) return false;
  if (<i32>(queryMark >> 1) - <i32>(keyMark >> 1) <= <i32>call.keepRecent) return true;
  return (keyMark & 1) == 1 && (call.anchorSeesAnchors == 1 || (queryMark & 1) == 0);
}
