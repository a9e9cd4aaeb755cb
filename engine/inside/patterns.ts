// The patterns of all layers over a text, a few layers a pass, so that they never fill the memory.

import type { CapturedTensor } from "../model/captured.ts";
import type { Model } from "../model/model.ts";

/** Bytes of patterns that are held at a time. */
const PATTERN_BYTES = 96 << 20;

/** Each layer's pattern [heads, tokens, keys], in order. */
export async function* patternsOf(
  model: Model,
  tokens: readonly number[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CapturedTensor, void, undefined> {
  const { layers, heads } = model.config;
  const perPass = Math.max(1, Math.floor(PATTERN_BYTES / (heads * tokens.length ** 2 * 4)));
  for (let first = 0; first < layers; first += perPass) {
    const count = Math.min(perPass, layers - first);
    const capture = Array.from({ length: count }, (_, i) => `blocks.${first + i}.attn.hook_pattern`);
    const { captured } = await model.forward(tokens, { capture, logits: "none", signal });
    for (const tap of capture) yield captured[tap]!;
  }
}
