// Batches whose rows are filled again: each prompt is a run of its own, with its own options, and equal prompts of a list share what is read
// of them. Loaded with the first such batch; what the model has loaded already it is given, so that no script is cut in two.

import { ofPrompt, refill, type Source } from "../generate/refill.ts";
import type { Piece } from "../generate/rows.ts";
import type { EngineDecoder } from "./engine-decoder.ts";
import type { BatchOptions, ModelGenerateOptions } from "./model-options.ts";
import type { BatchPrompt, Prompt } from "./prompts.ts";
import { SharedPrompts, type ShareRows } from "./shared-prompts.ts";
import type { Steps } from "./steps.ts";

/** The run of one prompt. */
export interface PromptRun {
  /** of this run alone */
  readonly decoder: EngineDecoder;
  readonly options: Omit<ModelGenerateOptions, "cache">;
}

/** What a batch is made with. */
export interface BatchParts {
  readonly steps: Steps;
  /** The prompt's own text, tokens or messages. */
  readonly textOf: (prompt: Prompt | BatchPrompt) => Prompt;
  /** Begins the run of the prompt with this index: its options are the batch's but for those that it has itself. */
  readonly begin: (prompt: Prompt | BatchPrompt, index: number) => PromptRun;
  readonly decode: (
    run: PromptRun,
    prompt: Prompt | BatchPrompt,
    share: ShareRows | undefined,
  ) => AsyncGenerator<Piece, void, undefined>;
}

/** Prompts at a time where their number is not known. */
const DEFAULT_ROWS = 8;

/** Runs each prompt, `rows` at a time. */
export async function* runBatch(
  { steps, textOf, begin, decode }: BatchParts,
  prompts: Source<Prompt | BatchPrompt>,
  { rows, signal }: BatchOptions,
): AsyncGenerator<Piece, void, undefined> {
  const list = Array.isArray(prompts) ? (prompts as readonly (Prompt | BatchPrompt)[]) : undefined;
  const shared = list && new SharedPrompts(steps, list.map(textOf));
  async function* run(prompt: Prompt | BatchPrompt, index: number): AsyncGenerator<Piece, void, undefined> {
    const part = shared?.partOf(index);
    try {
      const { decoder, options } = begin(prompt, index);
      const share: ShareRows | undefined = part && ((wanted) => part.take(decoder, wanted, signal));
      yield* ofPrompt(index, options, (own) => decode({ decoder, options: own }, prompt, share));
    } finally {
      part?.dispose();
    }
  }
  try {
    yield* refill(prompts, rows ?? Math.max(1, list?.length ?? DEFAULT_ROWS), run, signal);
  } finally {
    shared?.dispose();
  }
}
