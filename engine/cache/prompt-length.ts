// How much of a whole text is the prompt. Policies that choose keys act from the prompt's end on, so that a text with such a policy says
// nothing of it unless its prompt is known.

import type { CachePolicy } from "./policies/policy.ts";

/** A text that is read at once, and the options that it is read with. */
export interface WholeText {
  readonly tokens: number;
  readonly promptLength: number | undefined;
  readonly policy: CachePolicy | undefined;
  /** most tokens of the prompt */
  readonly most: number;
  /** false where a policy that is asked within the prompt, too, acts without a promptLength */
  readonly isOnePass: boolean;
}

/**
 * Throws a RangeError for a promptLength that is no whole number of 1 to `most`, and for a policy that chooses keys where there is none and
 * it would be asked nothing.
 */
export function checkPromptLength(where: string, { tokens, promptLength, policy, most, isOnePass }: WholeText): void {
  if (promptLength === undefined) {
    if (!policy?.keep || (!isOnePass && policy.keepsPrompt === false)) return;
    throw new RangeError(
      `${where}: the policy "${policy.name}" chooses keys where the prompt ends: give promptLength, how many of the ${tokens} tokens are the prompt (1 to ${most})`,
    );
  }
  if (Number.isInteger(promptLength) && promptLength >= 1 && promptLength <= most) return;
  throw new RangeError(
    `${where}: promptLength is ${String(promptLength)}: it must be a whole number of 1 to ${most}, for a text of ${tokens} tokens`,
  );
}
