// A cache policy: which keys stay. It sees numbers only, and names what to keep; the store drops the rest.
//
// Two kinds. A policy with a `rule` drops what its visibility rule hides from every query to come: the same result as a masked
// prefill, whatever the chunks. A policy with `keep` chooses by what it is shown: it is asked after each step, and what it
// drops is gone. The ones here answer from the prompt's end on, so that they too give one result whatever the chunks.

import type { VisibilityParams } from "../../../kernels/index.ts";
import type { LineAnchorChooser } from "../../attention/anchors.ts";

/** Statistics of attention that a policy may ask for; they cost extra kernel calls, so nothing else pays for them. */
export type AttentionStatistic =
  /** per key: the sum of its weights over all queries and heads so far (H2O) */
  | "accumulated"
  /** per key: its weight for the newest query, mean over heads (TOVA) */
  | "last"
  /** per key: its weight summed over the last `observedQueries` queries of the prompt, mean over heads (SnapKV) */
  | "observed"
  /** per key: the L2 norm of its key vector, mean over key/value heads */
  | "key-norm";

/** One list of keys as a policy sees it: of one layer if the policy is per layer, of all layers otherwise. */
export interface KeyView {
  /** null when one list serves all layers */
  readonly layer: number | null;
  readonly layers: number;
  /** absolute positions of the keys in the list, ascending; the newest token's is the last */
  readonly positions: Uint32Array;
  /** 2 · segment + isAnchor of each key */
  readonly marks: Uint32Array;
  /** tokens of the prompt */
  readonly promptLength: number;
  /** true for the one call right after the prompt's last chunk */
  readonly isPromptEnd: boolean;
  /** one number per key of each statistic asked for */
  readonly statistics: Readonly<Partial<Record<AttentionStatistic, Float32Array>>>;
}

/** A policy as a plain object; users write their own. */
export interface CachePolicy {
  /** as on the command line: `sinks:4,256` */
  readonly name: string;
  /**
   * What queries may see; keys that no later query can see are dropped. It overrides the model's own rule number by number
   * (see `resolveRule`), so a policy without one leaves a model with anchors its anchors. `window` is the model's: leave it out.
   */
  readonly rule?: Partial<VisibilityParams>;
  /** which tokens are anchors; absent: those of the model's config */
  readonly isAnchor?: LineAnchorChooser;
  /** each layer keeps a list of its own */
  readonly isPerLayer?: boolean;
  readonly statistics?: readonly AttentionStatistic[];
  /** queries of the prompt that the statistic "observed" covers, counted from its end */
  readonly observedQueries?: number | undefined;
  /**
   * Most keys in a list once the policy has acted, by layer (null: one list for all) and length of the prompt (not known:
   * Infinity); absent for policies that bound nothing.
   */
  readonly budget?: (layer: number | null, layers: number, promptLength: number) => number;
  /** indices into the view, ascending, of the keys to keep; null keeps all */
  readonly keep?: (view: KeyView) => Uint32Array | null;
}

/** The part of a rule that says: every kept key is visible, even in a model with anchors. */
export const UNMASKED = {
  keepWindow: 0,
  sinks: 0,
  segmented: 0,
  keepRecent: 0,
  anchorSeesAnchors: 1,
} as const satisfies Partial<VisibilityParams>;
