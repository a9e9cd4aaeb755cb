// Batches whose rows are filled again: each prompt is a run of its own, with its own options, and equal prompts of a list share what is read
// of them. Loaded with the first such batch.

import type { WatchableDecoder } from "../generate/decoder.ts";
import { ofPrompt, refill, type Source } from "../generate/refill.ts";
import type { Piece } from "../generate/rows.ts";
import { checkOptions } from "../options.ts";
import { EngineDecoder } from "./engine-decoder.ts";
import { withLineAnchors, type AnchoredModel } from "./line-anchors.ts";
import { GENERATE_OPTIONS, type BatchOptions, type ModelGenerateOptions } from "./model-options.ts";
import { promptOf, type BatchPrompt, type Prompt } from "./prompts.ts";
import { SharedPrompts, type ShareRows } from "./shared-prompts.ts";
import type { Steps } from "./steps.ts";

/** What the runs of a batch have in common. */
export interface BatchParts {
  readonly steps: Steps;
  readonly anchored: AnchoredModel;
  readonly decode: DecodePrompt;
}

/** Decodes one prompt. */
export type DecodePrompt = (
  decoder: WatchableDecoder,
  prompt: Prompt | BatchPrompt,
  options: Omit<ModelGenerateOptions, "cache">,
  share: ShareRows | undefined,
) => AsyncGenerator<Piece, void, undefined>;

/** Prompts at a time where their number is not known. */
const DEFAULT_ROWS = 8;

const { signal: _signal, ...OWN_OPTIONS } = GENERATE_OPTIONS;

/** Runs each prompt, `rows` at a time; its options are the batch's but for those that it has itself. Throws as `checkOptions` does. */
export async function* runBatch(
  { steps, anchored, decode }: BatchParts,
  prompts: Source<Prompt | BatchPrompt>,
  { rows, ...options }: BatchOptions,
): AsyncGenerator<Piece, void, undefined> {
  const list = Array.isArray(prompts) ? (prompts as readonly (Prompt | BatchPrompt)[]) : undefined;
  const shared = list && new SharedPrompts(steps, list);
  async function* run(prompt: Prompt | BatchPrompt, index: number): AsyncGenerator<Piece, void, undefined> {
    const part = shared?.partOf(index);
    try {
      const { options: own } = promptOf(prompt);
      if (own) checkOptions(`prompt ${index}`, own, OWN_OPTIONS);
      const { cache, ...rest } = { ...options, ...own };
      const policy = withLineAnchors(cache, anchored, rest.onNote);
      const decoder = new EngineDecoder(steps, { policy });
      const share: ShareRows | undefined = part && ((wanted) => part.take(decoder, policy, wanted, rest.signal));
      yield* ofPrompt(index, rest, (merged) => decode(decoder, prompt, merged, share));
    } finally {
      part?.dispose();
    }
  }
  try {
    yield* refill(prompts, rows ?? Math.max(1, list?.length ?? DEFAULT_ROWS), run, options.signal);
  } finally {
    shared?.dispose();
  }
}
