// Log-probabilities of given tokens. The device computes them, so that no logits are read back.

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
