// Attention rollout (Abnar and Zuidema, arXiv 2005.00928): how much of each token reaches each place through all layers, if a layer passes on
// half of what it was given and mixes the other half by the mean of its heads.

import { checkOptions, type OptionNames } from "../options.ts";
import { CapturedTensor } from "../model/captured.ts";
import type { Model } from "../model/model.ts";
import type { Prompt } from "../model/prompts.ts";
import { patternsOf } from "./patterns.ts";
import { tokenTexts, type TokenText } from "./token-text.ts";

/** Options of {@link attentionRollout}. */
export interface RolloutOptions {
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS: OptionNames<RolloutOptions> = { signal: true };

/** The result of {@link attentionRollout}. */
export interface AttentionRollout {
  readonly tokens: readonly TokenText[];
  /** [tokens, tokens]: the share of each token in each place after the last layer; rows add up to 1 */
  readonly shares: CapturedTensor;
}

/** The product over the layers of (the mean pattern of the heads + identity) / 2. A second source of keys counts as the same tokens. */
export async function attentionRollout(
  model: Model,
  prompt: Prompt,
  options: RolloutOptions = {},
): Promise<AttentionRollout> {
  checkOptions("attentionRollout", options, OPTIONS);
  const { heads } = model.config;
  const tokens = tokenTexts(model, prompt, "attentionRollout");
  const count = tokens.length;
  const ids = tokens.map(({ token }) => token);
  let shares = Float64Array.from({ length: count * count }, (_, i) => Number(i % (count + 1) === 0));
  for await (const pattern of patternsOf(model, ids, options.signal)) {
    const next = new Float64Array(count * count);
    for (let row = 0; row < count; row++) {
      const weights = new Float64Array(count);
      for (let head = 0; head < heads; head++) {
        for (const [key, weight] of pattern.row(head, row).entries()) weights[key % count]! += weight;
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let key = 0; key < count; key++) {
        const share = (total > 0 ? weights[key]! / total / 2 : 0) + (key === row ? (total > 0 ? 0.5 : 1) : 0);
        if (share === 0) continue;
        for (let of = 0; of < count; of++) next[row * count + of]! += share * shares[key * count + of]!;
      }
    }
    shares = next;
  }
  return { tokens, shares: new CapturedTensor([count, count], Float32Array.from(shares)) };
}
