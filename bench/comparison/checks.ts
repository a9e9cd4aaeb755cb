// Whether what a contender computed makes sense, so that nobody is timed doing nothing.

import { collect, loadModel } from "kedge";
import type { Ready, Task } from "./contender.ts";
import type { Entrant } from "./works.ts";

/** Most that a result may deviate after a whole chain, by format. */
const LARGEST_DEVIATION: Readonly<Record<string, number>> = { f32: 1e-4, int8: 0.1, int4: 0.7 };
/** Variants whose weights are the reference's: their greedy tokens must be the same, every one. */
const EXACT: readonly string[] = ["bf16", "f32"];
/** Least mean log-probability, under the reference, of tokens that came of rounded weights; blind guessing has -10.8. */
const LEAST_LOG_PROB = -4;

/** What contenders' tokens are held to. */
export interface Reference {
  readonly tokens: readonly number[];
  encode(text: string): readonly number[];
  /** mean log-probability of tokens after the prompt */
  meanLogProb(tokens: readonly number[]): Promise<number>;
  dispose(): Promise<void>;
}

/** kedge itself, of the weights as stored; dispose of it before anything is timed. */
export async function openReference({
  files,
  prompt,
  count,
  threads,
}: Omit<Task, "work" | "variant">): Promise<Reference> {
  const model = await loadModel(files.folder, { device: "wasm", threads });
  const options = { maxTokens: count, temperature: 0, ignoreEndTokens: true };
  const [generation] = await collect(model.generate(prompt.tokens, options));
  return {
    tokens: generation!.tokens,
    encode: (text) => model.tokenizer?.encode(text, { addSpecialTokens: false }) ?? [],
    meanLogProb: async (tokens) => {
      const { logProbs } = await model.score([...prompt.tokens, ...tokens]);
      return logProbs.slice(prompt.tokens.length - 1).reduce((sum, value) => sum + value, 0) / tokens.length;
    },
    dispose: () => model.dispose(),
  };
}

/** How many entries at the beginning are the same. */
export function sameAtStart<T>(a: readonly T[], b: readonly T[]): number {
  const differing = a.findIndex((value, i) => value !== b[i]);
  return differing === -1 ? Math.min(a.length, b.length) : differing;
}

/** An operation's deviation as a phrase; throws where it is too large for the format. */
export function checkDeviation({ variant }: Entrant, deviation: number): string {
  const most = LARGEST_DEVIATION[variant] ?? 0;
  if (!(deviation <= most))
    throw new Error(`its result deviates by ${deviation.toExponential(1)}: ${variant} may by ${most}`);
  return `deviates by ${deviation.toExponential(1)}`;
}

/** Greedy tokens beside those of the reference, as a phrase; throws where they are not what they should be. */
export async function checkTokens(
  { variant }: Entrant,
  tokens: readonly number[],
  reference: Pick<Reference, "tokens" | "meanLogProb">,
): Promise<string> {
  const length = Math.min(tokens.length, reference.tokens.length);
  if (length === 0) throw new Error("it gave no tokens");
  const same = sameAtStart(tokens, reference.tokens);
  if (same >= length) return length === 1 ? "the same token" : `all ${length} tokens the same`;
  if (EXACT.includes(variant))
    throw new Error(`only the first ${same} of its ${length} tokens are those of kedge on bf16: all should be`);
  const mean = await reference.meanLogProb(tokens);
  if (!(mean >= LEAST_LOG_PROB))
    throw new Error(`its tokens have a mean log-probability of ${mean.toFixed(2)}: ${LEAST_LOG_PROB} is the least`);
  return `first ${same} of ${length} tokens the same, mean log-probability ${mean.toFixed(2)}`;
}

/** Checks whatever a contender says of its results. */
export async function checkReady(entrant: Entrant, ready: Ready, reference: Reference | undefined): Promise<string> {
  if (ready.deviation !== undefined) return checkDeviation(entrant, ready.deviation);
  const tokens = ready.tokens ?? (ready.text === undefined ? undefined : reference?.encode(ready.text));
  return tokens === undefined || reference === undefined ? "" : checkTokens(entrant, tokens, reference);
}
