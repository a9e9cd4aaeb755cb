// How fast a loaded model reads and writes, in Node and in pages alike.

import { collect, type Model } from "kedge";
import { type Spread } from "kedge/timing";

/** Tokens of a prompt and of the text after it. */
export interface Lengths {
  readonly promptTokens: number;
  readonly tokens: number;
}

/** One round. */
export interface Speed {
  /** of the whole prompt, up to its first new token */
  readonly promptTokensPerSecond: number;
  /** of the tokens after the first */
  readonly tokensPerSecond: number;
}

/** What several rounds of one model on one device came to. */
export interface ModelRow extends Lengths {
  readonly model: string;
  readonly device: string;
  /** the device as it describes itself */
  readonly description: string;
  readonly loadSeconds: number;
  readonly weightBytes: number;
  readonly promptTokensPerSecond: Spread;
  readonly tokensPerSecond: Spread;
}

/** What was asked for, or half of the context for each where it does not hold that. */
export function lengthsFor(
  { contextLength }: Pick<Model, "contextLength">,
  { promptTokens, tokens }: Lengths,
): Lengths {
  const most = Math.floor(contextLength / 2);
  return { promptTokens: Math.min(promptTokens, most), tokens: Math.min(tokens, most) };
}

/** Tokens of an arbitrary but fixed text; what they say does not change how long they take. */
function someTokens(count: number, vocabSize: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919 + 13) % vocabSize);
}

/** When each of `count` greedy tokens after the prompt was there, in milliseconds from the start. */
async function clockTokens(
  model: Model,
  prompt: readonly number[],
  count: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const begin = performance.now();
  const times: number[] = [];
  const stopWhen = (): boolean => {
    times.push(performance.now() - begin);
    return false;
  };
  const options = { maxTokens: count, ignoreEndTokens: true, stopWhen, signal };
  await collect(model.generate(prompt, options));
  return times;
}

/** Reads a prompt and writes greedily, against the clock. */
export async function measureSpeed(
  model: Model,
  { promptTokens, tokens }: Lengths,
  signal?: AbortSignal,
): Promise<Speed> {
  const prompt = someTokens(promptTokens, model.config.vocabSize);
  const times = await clockTokens(model, prompt, tokens, signal);
  const [first, last] = [times[0]!, times.at(-1)!];
  return {
    promptTokensPerSecond: (promptTokens * 1000) / first,
    tokensPerSecond: ((tokens - 1) * 1000) / (last - first),
  };
}
