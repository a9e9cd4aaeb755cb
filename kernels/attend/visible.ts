// Which key a query may see, from numbers alone: the rule that every implementation of `attend` evaluates.
//
// A row of queries and each key carry a position and a mark; mark = 2 · segment + isAnchor. Segments are counted from 0
// along a sequence and end with an anchor, which belongs to the segment it closes (docs: anchor attention).

/** The parameters of the visibility rule, all u32. */
export const VISIBILITY_PARAMS = {
  /** the model's own sliding window: positions i - window < j; 0 for none */
  window: "u32",
  /** a window kept by the cache's policy, beside which sinks stay visible; 0 for none */
  keepWindow: "u32",
  /** positions below this are always visible to the policy's rules */
  sinks: "u32",
  /** 1: keys of finished segments are visible only if they are anchors */
  segmented: "u32",
  /** how many finished segments stay whole */
  keepRecent: "u32",
  /** 0: an anchor's own row sees only its segment and the sinks */
  anchorSeesAnchors: "u32",
} as const;

export type VisibilityParams = { readonly [K in keyof typeof VISIBILITY_PARAMS]: number };

/** The rule under which every earlier key is visible. */
export const DENSE: VisibilityParams = {
  window: 0,
  keepWindow: 0,
  sinks: 0,
  segmented: 0,
  keepRecent: 0,
  anchorSeesAnchors: 1,
};

/** True if the key at position j with mark `keyMark` is visible to the query at position i with mark `queryMark`. */
export function isVisible(rule: VisibilityParams, i: number, queryMark: number, j: number, keyMark: number): boolean {
  if (j > i) return false;
  if (rule.window > 0 && i - j >= rule.window) return false;
  if (rule.keepWindow === 0 && rule.segmented === 0) return true;
  if (j < rule.sinks) return true;
  if (rule.keepWindow > 0 && i - j < rule.keepWindow) return true;
  if (rule.segmented === 0) return false;
  if ((queryMark >> 1) - (keyMark >> 1) <= rule.keepRecent) return true;
  const keyIsAnchor = (keyMark & 1) === 1;
  const queryIsAnchor = (queryMark & 1) === 1;
  return keyIsAnchor && (rule.anchorSeesAnchors === 1 || !queryIsAnchor);
}
