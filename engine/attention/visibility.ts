// Which keys a query sees, and which no later query can see. The cache may drop the latter without changing a result.
//
// Invariant: a key that some later query of the sequence can see is never dropped, and a key that is not dropped is seen
// by the very next query unless that is an anchor whose rule hides other anchors. So token by token with eviction, chunk by
// chunk, and a whole prefill under the mask all see the same keys.

import { DENSE, isVisible, type VisibilityParams } from "../../kernels/index.ts";
import type { SequencePlace } from "./anchors.ts";

/** Keys of a sequence, in order of position. */
export interface MarkedKeys {
  /** [keys] absolute positions, ascending */
  readonly positions: ArrayLike<number>;
  /** [keys] 2 · segment + isAnchor */
  readonly marks: ArrayLike<number>;
}

/** The place of the next query, and other readers of its keys. */
export interface NextQuery extends SequencePlace {
  /** another layer reads this list's anchors whatever the rule says (layer-wise anchors), so that they all stay */
  readonly keepsAnchors?: boolean;
}

/** The settings of a model's anchor attention, as its config.json has them. */
export interface AnchorSettings {
  readonly sinks: number;
  readonly anchorSeesAnchors: boolean;
}

/** The keys that queries see, as a policy defines them; keys that no later query can see are dropped. Omitted members are the model's. */
export interface VisibilityRule {
  /** the last keys that are visible, in every layer; 0 for no limit. A window of the model itself stays what it is. */
  readonly keepWindow?: number | undefined;
  /** first positions that stay visible */
  readonly sinks?: number | undefined;
  /** of finished segments only the anchors are visible */
  readonly segmented?: boolean | undefined;
  /** finished segments that stay whole; with `segmented` */
  readonly keepRecent?: number | undefined;
  /** whether an anchor's own row sees the anchors before it */
  readonly anchorSeesAnchors?: boolean | undefined;
}

/** Defaults of anchor attention, for values that neither the model nor the caller gives. */
export const ANCHOR_DEFAULTS: AnchorSettings = { sinks: 1, anchorSeesAnchors: true };

/**
 * The whole rule for a model and what a policy asks of it. A model with anchor settings (`anchors`) runs with them unless
 * `asked` says otherwise; what neither says is dense, or {@link ANCHOR_DEFAULTS} where anchors are asked of a model without.
 */
export function resolveRule(asked: VisibilityRule = {}, anchors: AnchorSettings | null = null): VisibilityParams {
  const settings = anchors ?? (asked.segmented === true ? ANCHOR_DEFAULTS : null);
  const models = settings
    ? { ...DENSE, segmented: 1, sinks: settings.sinks, anchorSeesAnchors: Number(settings.anchorSeesAnchors) }
    : DENSE;
  return {
    window: models.window,
    keepWindow: asked.keepWindow ?? models.keepWindow,
    sinks: asked.sinks ?? models.sinks,
    segmented: Number(asked.segmented ?? models.segmented),
    keepRecent: asked.keepRecent ?? models.keepRecent,
    anchorSeesAnchors: Number(asked.anchorSeesAnchors ?? models.anchorSeesAnchors),
  };
}

/**
 * Returns the indices, ascending, of the keys that some query from `next` on may see; for any tokens, all other keys can be dropped.
 * Call it after the last token of the list has been processed, because an anchor still sees the segment that it closes.
 *
 * A key that is hidden from a non-anchor query at the next place stays hidden: distances and segments only grow, and such a query sees
 * at least the keys that an anchor at its place sees.
 */
export function survivors(rule: VisibilityParams, keys: MarkedKeys, next: NextQuery): Uint32Array {
  const indices = new Uint32Array(keys.positions.length);
  let count = 0;
  for (let key = 0; key < indices.length; key++) if (isNeeded(rule, keys, key, next)) indices[count++] = key;
  return indices.slice(0, count);
}

function isNeeded(rule: VisibilityParams, { positions, marks }: MarkedKeys, key: number, next: NextQuery): boolean {
  const mark = marks[key]!;
  if (next.keepsAnchors === true && (mark & 1) === 1) return true;
  return isVisible(rule, next.position, 2 * next.segment, positions[key]!, mark);
}
