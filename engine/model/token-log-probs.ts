// Log-probabilities of given tokens: the device computes them, so that no logits are read.

import type { Part } from "./chunks.ts";
import type { Engine, OpenOptions } from "./engine.ts";

/** Log-probabilities of tokens[1..] given what comes before each, [tokens.length - 1]. */
export async function tokenLogProbs(
  engine: Engine,
  tokens: readonly number[],
  options: OpenOptions & { signal?: AbortSignal } = {},
): Promise<Float32Array> {
  const { signal } = options;
  const { outputRows, targets, logProbs } = engine.activations.ports;
  const result = new Float32Array(Math.max(0, tokens.length - 1));
  const sequence = engine.open(options);
  sequence.promptLength = result.length;
  try {
    for (let begin = 0; begin < result.length; begin += engine.chunkRows) {
      const outputs = Math.min(result.length - begin, engine.chunkRows);
      const parts: Part[] = [{ sequence, tokens: tokens.slice(begin, begin + outputs) }];
      const writes = [
        { tensor: outputRows, data: Uint32Array.from({ length: outputs }, (_, row) => row) },
        { tensor: targets, data: Uint32Array.from(tokens.slice(begin + 1, begin + 1 + outputs)) },
      ];
      const reads = [{ tensor: logProbs, begin: 0, end: outputs }];
      await engine.step(
        { parts, outputs, mark: "scored", writes, signal },
        {
          reads,
          take: ([values]) => result.set(values as Float32Array, begin),
        },
      );
    }
    return result;
  } finally {
    engine.close(sequence);
    await engine.exclusive(() => engine.shrink());
  }
}
