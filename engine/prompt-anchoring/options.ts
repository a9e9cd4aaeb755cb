// Options of anchoring and of the other contrasts.

import type { Schedule } from "./contrast.ts";
import type { StandIn } from "./mask.ts";
import type { PromptAnchor } from "./spans.ts";
import type { Strength } from "./strength.ts";

/** The strength with which anchors are held if the caller names none: where the paper's curves have their top. */
export const DEFAULT_STRENGTH = 1.25;

/** Selective Prompt Anchoring (arXiv 2408.09121): see the guide, "Hold on to the prompt". */
export interface AnchoringOptions {
  /** 1 leaves the model as it is and costs nothing, above 1 amplifies, 0 is the masked prompt; a number or a function of the step; default 1.25 */
  readonly strength?: Strength | undefined;
  /** anchors in every prompt, in addition to `<anchor>…</anchor>` tags and to anchors of the prompt itself */
  readonly anchors?: readonly PromptAnchor[] | undefined;
  /** how the strength depends on the step; `constant` (the paper) by default */
  readonly schedule?: Schedule | undefined;
  /**
   * `first-order` (the paper, by default) combines the logits of a plain and a masked row; `exact` runs one row with amplified
   * embeddings, of which the former is the first-order reading
   */
  readonly mode?: "first-order" | "exact" | undefined;
  /** what stands in for masked tokens; the tokenizer's mask, unknown or padding token by default */
  readonly standIn?: StandIn | undefined;
  /** a token for tokenizers that have none of these */
  readonly maskToken?: number | undefined;
  /** one stand-in for each span, as the authors' first code had it; shifts positions; for comparison only */
  readonly collapse?: boolean | undefined;
  /** queries that "recent" shares of attention cover; default 8 */
  readonly recentQueries?: number | undefined;
  /** called with notes, one sentence each: the stand-in that is used, and tokens that are masked in addition to the named ones */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** Decoding against another prompt, in each paper's own parameter; scale 1 and alpha 0 change nothing. */
export type ContrastOptions =
  /** classifier-free guidance (arXiv 2306.17806): against the prompt's last token alone */
  | { readonly method: "guidance"; readonly scale: number }
  /** the same, against a prompt whose ways are to be avoided */
  | { readonly method: "negative-prompt"; readonly scale: number; readonly prompt: string | readonly number[] }
  /** context-aware decoding (arXiv 2305.14739): against the prompt without its context */
  | { readonly method: "context"; readonly alpha: number; readonly context: readonly PromptAnchor[] };
