// Default anchors for models whose config names none: the tokens that contain a line break.

import { UnsupportedError, type ModelConfig, type Tokenizer } from "../../loaders/index.ts";
import { anchorsAtLineBreaks, type LineAnchorChooser } from "../attention/anchors.ts";
import type { CachePolicy } from "../cache/policies/index.ts";

/** The parts of a model that decide where its anchors are. */
export interface AnchoredModel {
  readonly config: Pick<ModelConfig, "anchors">;
  readonly tokenizer: Tokenizer | null;
}

const UNTRAINED =
  "this model was not trained with anchor attention: nothing taught it to gather a line in its break, so expect worse text";

/** Finding the line breaks of a vocabulary reads all of its tokens, so that is done once for each tokenizer. */
const found = new WeakMap<Tokenizer, LineAnchorChooser>();
/** Policies with their line breaks, by what they were made of. */
const completed = new WeakMap<CachePolicy, CachePolicy>();

/**
 * Returns the policy with line breaks as its anchors where it asks for anchors but neither it nor the model says which tokens they
 * are; `onNote` is then told that the model was not trained for them. Throws an UnsupportedError where there is no tokenizer to
 * find line breaks with.
 */
export function withLineAnchors(
  policy: CachePolicy | undefined,
  { config, tokenizer }: AnchoredModel,
  onNote?: (note: string) => void,
): CachePolicy | undefined {
  if (policy?.rule?.segmented !== true || config.anchors) return policy;
  onNote?.(UNTRAINED);
  if (policy.isAnchor) return policy;
  if (!tokenizer) {
    throw new UnsupportedError("this model names no anchors and has no tokenizer to find line breaks: give `isAnchor`");
  }
  const isAnchor = found.get(tokenizer) ?? anchorsAtLineBreaks(tokenizer);
  found.set(tokenizer, isAnchor);
  // The same object each time: statistics are told apart by it.
  const before = completed.get(policy);
  const whole = before?.isAnchor === isAnchor ? before : { ...policy, isAnchor };
  completed.set(policy, whole);
  return whole;
}
