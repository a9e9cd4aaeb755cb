// A cache policy: which keys stay. It sees numbers only, and names what to keep; the store drops the rest.
//
// Two kinds. A policy with a `rule` drops what its visibility rule hides from every query to come: the same result as a masked
// prefill, whatever the chunks. A policy with `keep` chooses by what it is shown: it is asked after each step, and what it
// drops is gone. The ones here answer from the prompt's end on, so that they too give one result whatever the chunks.

import type { LineAnchorChooser } from "../../attention/anchors.ts";
import type { VisibilityRule } from "../../attention/visibility.ts";

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

/** What all policies have. */
interface PolicyBase {
  /** as on the command line: `sinks:4,256` */
  readonly name: string;
  /** which tokens are anchors; those of the model's config by default */
  readonly isAnchor?: LineAnchorChooser | undefined;
  /**
   * Most keys in a list, by layer (null: one list for all) and length of the prompt (not known: Infinity); absent for policies
   * that bound nothing. It is checked at the prompt's end, after each step of a {@link RulePolicy}, and whenever a
   * {@link ChooserPolicy} answers with a list. A policy that keeps more is refused.
   */
  readonly budget?: ((layer: number | null, layers: number, promptLength: number) => number) | undefined;
}

/** A policy that drops what its rule hides from every query to come. */
export interface RulePolicy extends PolicyBase {
  /** it overrides the model's own rule member by member (see `resolveRule`), so that `{}` leaves a model with anchors its anchors */
  readonly rule: VisibilityRule;
  readonly keep?: undefined;
  readonly isPerLayer?: undefined;
  readonly keepsPrompt?: undefined;
  readonly statistics?: undefined;
  readonly observedQueries?: undefined;
}

/** A policy that chooses by what it is shown, after each step. */
export interface ChooserPolicy extends PolicyBase {
  /** returns the indices into the view, ascending, of the keys to keep, the newest among them; null keeps all */
  readonly keep: (view: KeyView) => Uint32Array | null;
  /** as in a {@link RulePolicy}; the model's own by default */
  readonly rule?: VisibilityRule | undefined;
  /** each layer keeps a list of its own; false by default */
  readonly isPerLayer?: boolean | undefined;
  readonly statistics?: readonly AttentionStatistic[] | undefined;
  /**
   * it drops nothing before it is shown the prompt's last token, so that texts of one prompt under several such policies with the same
   * statistics can share what was read; false by default
   */
  readonly keepsPrompt?: boolean | undefined;
  /** queries of the prompt that the statistic "observed" covers, counted from its end; with that statistic only */
  readonly observedQueries?: number | undefined;
}

/** A policy as a plain object; users write their own. */
export type CachePolicy = RulePolicy | ChooserPolicy;

/** The part of a rule that says: every kept key is visible, even in a model with anchors. */
export const DENSE_RULE = {
  keepWindow: 0,
  sinks: 0,
  segmented: false,
  keepRecent: 0,
  anchorSeesAnchors: true,
} as const satisfies VisibilityRule;
