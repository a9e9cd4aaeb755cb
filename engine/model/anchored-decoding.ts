// How a model decodes with Selective Prompt Anchoring or another contrast: plans of the prompts, and a decoder that follows them. Loaded
// when a prompt is first decoded with one of them, because most pages decode plainly.

import type { ChatOptions, Tokenizer } from "../../loaders/index.ts";
import type { Decoder, WatchableDecoder } from "../generate/decoder.ts";
import { checkOptions, wholeNumbers } from "../options.ts";
import { contrastDecoder } from "../prompt-anchoring/contrast-decoder.ts";
import { compareExact, type ExactComparison } from "../prompt-anchoring/exact.ts";

import { planAnchoring, planContrast, type PlannedPrompt, type PromptWithAnchors } from "../prompt-anchoring/plan.ts";
import { EmbeddingTable } from "./embeddings.ts";
import { needsShares } from "../prompt-anchoring/strength.ts";
import { EngineDecoder } from "./engine-decoder.ts";
import { ANCHORING_OPTIONS, EXACT_OPTIONS, type ExactOptions, type ModelGenerateOptions } from "./model-options.ts";
import { promptOf, type Prompt } from "./prompts.ts";
import type { ShareRows } from "./shared-prompts.ts";
import type { Steps } from "./steps.ts";
import type { ModelWeights } from "./weights.ts";

/** What prompts are decoded against. */
export type ContrastChoice = Pick<ModelGenerateOptions, "anchoring" | "contrast" | "onNote" | "signal">;

/** Prompts as tokens, and the decoder that continues them. */
export interface PreparedPrompts {
  readonly decoder: Decoder;
  readonly tokens: readonly (readonly number[])[];
}

/** Prepares the prompts of one model for decoding against other rows. */
export class AnchoredDecoding {
  readonly #steps: Steps;
  readonly #tokenizer: Tokenizer | null;
  readonly #embeddings: EmbeddingTable;

  constructor(steps: Steps, weights: ModelWeights, tokenizer: Tokenizer | null) {
    this.#steps = steps;
    this.#tokenizer = tokenizer;
    this.#embeddings = new EmbeddingTable(steps, weights);
  }

  /** Plans prompts; `template` is for those that are messages, `share` for rows that other prompts have too. Throws a RangeError for anchors and contrasts that do not fit. */
  async prepare(
    decoder: WatchableDecoder,
    prompts: readonly (Prompt | PromptWithAnchors)[],
    { anchoring, contrast, onNote, signal }: ContrastChoice,
    template: ChatOptions = {},
    share?: ShareRows,
  ): Promise<PreparedPrompts> {
    const planned = await this.#plan(
      prompts,
      { anchoring: anchoring && { onNote, ...anchoring }, contrast, signal },
      template,
    );
    // If all rows are plain, the device's own greedy choice is faster than a decoder of plans.
    const isPlain = planned.every(({ ids, plan }) => plan.rows.length === 0 && plan.prompt === ids);
    const plans = planned.map(({ plan }) => plan);
    const isWatched = plans.some(({ rows }) => needsShares(rows.map(({ strength }) => strength)));
    const rows = plans.flatMap((plan) =>
      [plan, ...plan.rows].map(({ prompt }) => ({ tokens: prompt, vectors: plan.vectors })),
    );
    const using = share && !isWatched ? await share(rows) : decoder;
    return { decoder: isPlain ? using : contrastDecoder(using, plans), tokens: planned.map(({ ids }) => ids) };
  }

  /** See `Model.compareWithExact`. */
  async compareWithExact(
    prompt: Prompt | PromptWithAnchors,
    strengths: readonly number[],
    options: ExactOptions,
  ): Promise<ExactComparison[]> {
    checkOptions("compareWithExact", options, EXACT_OPTIONS);
    const { signal, ...anchoring } = options;
    const prompts = [withoutStrengths(prompt)];
    const comparisons: ExactComparison[] = [];
    for (const strength of strengths) {
      const logits: Float32Array[] = [];
      for (const mode of ["first-order", "exact"] as const) {
        const [planned] = await this.#plan(prompts, { anchoring: { ...anchoring, strength, mode } });
        logits.push(await this.#nextLogits(planned!, signal));
      }
      comparisons.push(compareExact(logits[0]!, logits[1]!, strength));
    }
    return comparisons;
  }

  /** Frees what reads the embeddings. */
  dispose(): void {
    this.#embeddings.dispose();
  }

  async #plan(
    prompts: readonly (Prompt | PromptWithAnchors)[],
    { anchoring, contrast, signal }: ContrastChoice,
    template: ChatOptions = {},
  ): Promise<PlannedPrompt[]> {
    if (anchoring) {
      checkOptions("anchoring", anchoring, ANCHORING_OPTIONS);
      wholeNumbers("anchoring", { recentQueries: anchoring.recentQueries }, 1);
      wholeNumbers("anchoring", { maskToken: anchoring.maskToken }, 0);
    }
    if (anchoring && contrast) throw new RangeError("anchoring and contrast were both asked for: choose 1 of the 2");
    const parts = { tokenizer: this.#tokenizer, embeddings: this.#embeddings, template, signal };
    const planned: PlannedPrompt[] = [];
    for (const prompt of prompts) {
      const anchored = promptOf(prompt);
      planned.push(
        await (anchoring ? planAnchoring(parts, anchored, anchoring) : planContrast(parts, anchored, contrast!)),
      );
    }
    return planned;
  }

  /** Logits after a planned prompt. */
  async #nextLogits({ ids, plan }: PlannedPrompt, signal: AbortSignal | undefined): Promise<Float32Array> {
    const decoder = contrastDecoder(new EngineDecoder(this.#steps), [plan]);
    const sequence = decoder.open();
    try {
      const [logits] = await decoder.logits([{ sequence, tokens: ids }], signal);
      return logits!;
    } finally {
      decoder.close(sequence);
    }
  }
}

/** The prompt, all of whose anchors have the run's strength. */
export function withoutStrengths(prompt: Prompt | PromptWithAnchors): PromptWithAnchors {
  const { prompt: own, anchors = [] } = promptOf(prompt);
  const plain = anchors.map((anchor) =>
    typeof anchor === "string" ? anchor : { ...anchor, strength: undefined, group: undefined },
  );
  return { prompt: own, anchors: plain };
}
