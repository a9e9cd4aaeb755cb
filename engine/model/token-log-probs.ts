// Log-probabilities of given tokens. The device computes them, so that no logits are read back, unless the likeliest tokens in their
// places are wanted too: then the host reads whole rows.
//
// Behind a prompt, a policy that chooses keys is asked after each token, as in generation; without one, after each chunk.

import { checkPromptLength } from "../cache/prompt-length.ts";
import { logProbOf, type TokenLogProb } from "../generate/log-probs.ts";
import { wholeNumbers } from "../options.ts";
import type { StepRequest, StepReads } from "./make-step.ts";
import { wholeRead } from "./step-inputs.ts";
import type { OpenOptions, Steps } from "./steps.ts";

/** How a text is scored. */
export interface TokenLogProbsOptions extends OpenOptions {
  /** tokens of the prompt, below their count: those behind it are scored; without it all but the first */
  readonly promptLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Log-probabilities of tokens[promptLength..] given the tokens before each, [tokens.length - promptLength]. Throws as
 * {@link checkPromptLength} does.
 */
export async function tokenLogProbs(
  steps: Steps,
  tokens: readonly number[],
  options: TokenLogProbsOptions = {},
): Promise<Float32Array> {
  const known = options.promptLength ?? 1; // tokens that are not scored
  const result = new Float32Array(Math.max(0, tokens.length - known));
  const fed = tokens.slice(0, -1);
  const make = (begin: number, outputs: readonly number[]) => ({
    request: { outputs, targets: outputs.map((row) => tokens[begin + row + 1]!), until: "scored" as const },
    reads: { reads: ({ ports }: Parameters<StepReads["reads"]>[0]) => [wholeRead(ports.logProbs, outputs.length)] },
  });
  await readInSteps(steps, tokens, { ...options, fed, rows: steps.chunkRows }, make, (values, first) =>
    result.set(values, first + 1 - known),
  );
  return result;
}

/** Bytes of logits that are read at a time. */
const MOST_BYTES = 16 << 20;

/**
 * Log-probabilities of tokens[promptLength..] given the tokens before each [tokens.length - promptLength], and the likeliest tokens of each
 * of these places and of the place after the text. Throws a RangeError for fewer than 1 of them or more than there are tokens, and as
 * {@link checkPromptLength} does.
 */
export async function tokenAlternatives(
  steps: Steps,
  tokens: readonly number[],
  count: number,
  options: TokenLogProbsOptions = {},
): Promise<{ readonly logProbs: readonly number[]; readonly alternatives: readonly (readonly TokenLogProb[])[] }> {
  const { vocabSize } = steps.config;
  wholeNumbers("score", { alternatives: count }, 1);
  if (count > vocabSize) {
    throw new RangeError(`score: alternatives is ${count}, but the vocabulary has ${vocabSize} tokens`);
  }
  const rows = Math.max(1, Math.min(steps.chunkRows, Math.floor(MOST_BYTES / (4 * vocabSize))));
  const logProbs: number[] = [];
  const alternatives: (readonly TokenLogProb[])[] = [];
  const make = (_begin: number, outputs: readonly number[]) => ({
    request: { outputs, until: "logits" as const },
    reads: {
      reads: (own: Parameters<StepReads["reads"]>[0]) => [
        wholeRead(own.outputs("logits", vocabSize), outputs.length * vocabSize),
      ],
    },
  });
  await readInSteps(steps, tokens, { ...options, fed: tokens, rows }, make, (values, first) => {
    for (let row = 0; row < values.length / vocabSize; row++) {
      const logits = values.subarray(row * vocabSize, (row + 1) * vocabSize);
      // After the last token there is none to score: the first stands in.
      const next = tokens[first + row + 1];
      const { logProb, alternatives: likeliest } = logProbOf(logits, next ?? 0, count);
      if (next !== undefined) logProbs.push(logProb);
      alternatives.push(likeliest);
    }
  });
  return { logProbs, alternatives };
}

/** A step over rows of a text from `begin` on, with these of them as outputs. */
type MakeStep = (
  begin: number,
  outputs: readonly number[],
) => { readonly request: Omit<StepRequest, "parts">; readonly reads: StepReads };

/** Feeds `fed`, the beginning of a text or all of it, and shows what is read of the rows from the prompt's last on, `first` the first. */
async function readInSteps(
  steps: Steps,
  tokens: readonly number[],
  options: TokenLogProbsOptions & { readonly fed: readonly number[]; readonly rows: number },
  make: MakeStep,
  show: (values: Float32Array, first: number) => void,
): Promise<void> {
  const { signal, promptLength, fed, rows, ...openOptions } = options;
  const { policy } = openOptions;
  const text = { tokens: tokens.length, most: tokens.length - 1, promptLength, policy, isOnePass: false };
  checkPromptLength("score", text);
  const known = promptLength ?? 1;
  const sequence = steps.open(openOptions);
  const isStepwise = promptLength !== undefined && sequence.keeping.policy.keep !== undefined;
  sequence.promptLength = promptLength ?? fed.length;
  try {
    for (let begin = 0; begin < fed.length;) {
      const most = isStepwise ? Math.max(known, begin + 1) : fed.length;
      const end = Math.min(most, begin + rows);
      const first = Math.max(begin, known - 1);
      const outputs = Array.from({ length: Math.max(0, end - first) }, (_, i) => first - begin + i);
      const step = outputs.length > 0 ? make(begin, outputs) : { request: { outputs, until: "body" as const } };
      const parts = [{ sequence, tokens: fed.slice(begin, end) }];
      const reads = "reads" in step ? step.reads : undefined;
      const [values] = await steps.run({ ...step.request, parts, signal }, reads);
      if (values) show(values as Float32Array, first);
      begin = end;
    }
  } finally {
    steps.close(sequence);
    await steps.shrink();
  }
}
