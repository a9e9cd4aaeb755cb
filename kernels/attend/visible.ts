// The rule that says which key a query may see, from numbers alone. Every implementation of attention evaluates it.
//
// A query and a key have a position and a mark = 2 · segment + isAnchor. Segments are counted from 0 along a sequence; a segment ends
// with an anchor, which belongs to it.

/** The parameters of the visibility rule, all u32. */
export const VISIBILITY_PARAMS = {
  /** the model's own sliding window: positions i - window < j; 0 for none */
  window: "u32",
  /** the window of a cache policy; sinks stay visible in addition to it; 0 for none */
  keepWindow: "u32",
  /** positions below this stay visible under the policy's window and under segments */
  sinks: "u32",
  /** 1: keys of finished segments are visible only if they are anchors */
  segmented: "u32",
  /** how many finished segments stay whole */
  keepRecent: "u32",
  /** 1: rows of anchors see earlier anchors too; 0: they see their own segment and the sinks only */
  anchorSeesAnchors: "u32",
} as const;

/** A rule of visibility: a number for each of VISIBILITY_PARAMS. */
export type VisibilityParams = { readonly [K in keyof typeof VISIBILITY_PARAMS]: number };

/** The rule under which every earlier key is visible: dense causal attention. */
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
