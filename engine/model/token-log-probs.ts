// Log-probabilities of given tokens. The device computes them, so that no logits are read back, unless the likeliest tokens in their
// places are wanted too: then the host reads whole rows.

import { logProbOf, type TokenLogProb } from "../generate/log-probs.ts";
import { wholeNumbers } from "../options.ts";
import { wholeRead } from "./step-inputs.ts";
import type { OpenOptions, Steps } from "./steps.ts";

/** Log-probabilities of tokens[1..] given the tokens before each, [tokens.length - 1]. */
export async function tokenLogProbs(
  steps: Steps,
  tokens: readonly number[],
  options: OpenOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<Float32Array> {
  const { signal, ...openOptions } = options;
  const result = new Float32Array(Math.max(0, tokens.length - 1));
  const sequence = steps.open(openOptions);
  sequence.promptLength = result.length;
  try {
    for (let begin = 0; begin < result.length; begin += steps.chunkRows) {
      const end = Math.min(result.length, begin + steps.chunkRows);
      const [values] = await steps.run(
        {
          parts: [{ sequence, tokens: tokens.slice(begin, end) }],
          outputs: Array.from({ length: end - begin }, (_, row) => row),
          targets: tokens.slice(begin + 1, end + 1),
          until: "scored",
          signal,
        },
        { reads: ({ ports }) => [wholeRead(ports.logProbs, end - begin)] },
      );
      result.set(values as Float32Array, begin);
    }
    return result;
  } finally {
    steps.close(sequence);
    await steps.shrink();
  }
}

/** Bytes of logits that are read at a time. */
const MOST_BYTES = 16 << 20;

/**
 * Log-probabilities of tokens[1..] given the tokens before each [tokens.length - 1], and the likeliest tokens of each place
 * [tokens.length], of which the last is the place after the text. Throws a RangeError for fewer than 1 of them or more than there are tokens.
 */
export async function tokenAlternatives(
  steps: Steps,
  tokens: readonly number[],
  count: number,
  options: OpenOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly logProbs: readonly number[]; readonly alternatives: readonly (readonly TokenLogProb[])[] }> {
  const { signal, ...openOptions } = options;
  const { vocabSize } = steps.config;
  wholeNumbers("score", { alternatives: count }, 1);
  if (count > vocabSize) {
    throw new RangeError(`score: alternatives is ${count}, but the vocabulary has ${vocabSize} tokens`);
  }
  const rows = Math.max(1, Math.min(steps.chunkRows, Math.floor(MOST_BYTES / (4 * vocabSize))));
  const logProbs: number[] = [];
  const alternatives: (readonly TokenLogProb[])[] = [];
  const sequence = steps.open(openOptions);
  sequence.promptLength = tokens.length;
  try {
    for (let begin = 0; begin < tokens.length; begin += rows) {
      const fed = tokens.slice(begin, begin + rows);
      const [read] = await steps.run(
        { parts: [{ sequence, tokens: fed }], outputs: [...fed.keys()], until: "logits", signal },
        { reads: (own) => [wholeRead(own.outputs("logits", vocabSize), fed.length * vocabSize)] },
      );
      for (const row of fed.keys()) {
        const logits = (read as Float32Array).subarray(row * vocabSize, (row + 1) * vocabSize);
        // After the last token there is none to score: the first stands in.
        const next = tokens[begin + row + 1];
        const { logProb, alternatives: likeliest } = logProbOf(logits, next ?? 0, count);
        if (next !== undefined) logProbs.push(logProb);
        alternatives.push(likeliest);
      }
    }
    return { logProbs, alternatives };
  } finally {
    steps.close(sequence);
    await steps.shrink();
  }
}
