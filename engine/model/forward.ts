// One forward pass over whole texts in which named tensors are captured, or replaced by hooks. A recording with the requested
// taps is replayed from tap to tap; generation keeps its own fused recording.
//
// With a policy that chooses keys, the prompt is one pass, and each token behind it another: the policy acts between them, as in generation.

import type { CachePolicy } from "../cache/policies/index.ts";
import { checkPromptLength } from "../cache/prompt-length.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import { CapturedTensor } from "./captured.ts";
import { InspectedText, Inspector, type Hook, type Inspection, type WantedLogits } from "./inspector.ts";
import { Pass, type KernelCall } from "./pass.ts";
import type { Prompt } from "./prompts.ts";
import type { AskedRecording } from "./recordings.ts";
import type { Steps } from "./steps.ts";
import { layerOfTap, recordingKey, RESIDUAL_OUT, tapKinds, tapMatcher, tapNames } from "./taps.ts";
import { tapMarker } from "./tap-marker.ts";
import { readWeight } from "./weight-names.ts";
import type { ModelWeights } from "./weights.ts";

export type { Hook, HookedTensor } from "./inspector.ts";

/** Numbers with a shape, as forward passes return them. */
export interface GivenTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Options of the forward passes of a batch. */
export interface ForwardBatchOptions {
  /** names of taps; `*` stands for one part: `blocks.*.attn.hook_pattern` */
  readonly capture?: readonly string[] | undefined;
  /** keyed by tap names as in `capture`; hooks run in the order of the model, those of one tap in the order given */
  readonly hooks?: Readonly<Record<string, Hook>> | undefined;
  /** the rows whose logits are returned: of every token (the default), of the last, or none */
  readonly logits?: WantedLogits | undefined;
  /** which keys are visible; one that chooses keys needs `promptLength` */
  readonly cache?: CachePolicy | undefined;
  /** tokens of the prompt: a policy that chooses keys acts at its end and after each token behind it */
  readonly promptLength?: number | undefined;
  /** the first layer that runs, with `residual` as its input; the embedding and the layers before it are left out */
  readonly startAtLayer?: number | undefined;
  /** the layer before which the pass ends: its input is the result's `residual`, and there are no logits */
  readonly stopAtLayer?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of a forward pass. */
export interface ForwardOptions extends ForwardBatchOptions {
  /** [tokens, dim]: the input of layer `startAtLayer`, as `blocks.{i}.hook_resid_pre` holds it */
  readonly residual?: GivenTensor | undefined;
}

/** Options of `forwardBatch`. */
export const FORWARD_BATCH_OPTIONS: OptionNames<ForwardBatchOptions> = {
  capture: true,
  hooks: true,
  logits: true,
  cache: true,
  promptLength: true,
  startAtLayer: true,
  stopAtLayer: true,
  signal: true,
};

/** Options of `forward`. */
export const FORWARD_OPTIONS: OptionNames<ForwardOptions> = { ...FORWARD_BATCH_OPTIONS, residual: true };

/** The result of a forward pass. */
export interface ForwardResult {
  /** [tokens, vocabSize], or [1, vocabSize] for "last"; null for "none", and for a pass that ends before a layer */
  readonly logits: CapturedTensor | null;
  /** residuals [tokens, dim]; q, k, v, z [tokens, heads, headDim]; scores and patterns [heads, tokens, keys] */
  readonly captured: Readonly<Record<string, CapturedTensor>>;
  /** of each captured tensor the calls up to the one that wrote it, which is the last */
  readonly calls: Readonly<Record<string, readonly KernelCall[]>>;
  /** [tokens, dim]: the input of layer `stopAtLayer`; null without it */
  readonly residual: CapturedTensor | null;
}

/** A text of a forward pass, and the residual with which it begins between layers. */
export interface ForwardText {
  readonly tokens: readonly number[];
  readonly residual?: GivenTensor | undefined;
}

/** A prompt of a batch of forward passes. */
export interface ForwardPrompt {
  readonly prompt: Prompt;
  /** [tokens, dim], with `startAtLayer` */
  readonly residual?: GivenTensor | undefined;
}

/** Runs prompts: {@link forwardTexts} of their tokens. Throws a RangeError for none. */
export async function forwardBatch(
  steps: Steps,
  prompts: Iterable<Prompt | ForwardPrompt>,
  options: ForwardBatchOptions,
  model: { readonly weights: ModelWeights; readonly tokensOf: (prompt: Prompt) => Promise<readonly number[]> },
): Promise<ForwardResult[]> {
  checkOptions("forwardBatch", options, FORWARD_BATCH_OPTIONS);
  const texts: ForwardText[] = [];
  for (const one of prompts) {
    const { prompt, residual } =
      typeof one === "object" && "prompt" in one ? one : { prompt: one, residual: undefined };
    texts.push({ tokens: await model.tokensOf(prompt), residual });
  }
  if (texts.length === 0) throw new RangeError("forwardBatch: there are 0 prompts: give 1 or more");
  return forwardTexts(steps, texts, options, model.weights);
}

/** Runs one pass over `tokens` in a new sequence: {@link forwardTexts} of one text. */
export async function forward(
  steps: Steps,
  tokens: readonly number[],
  options: ForwardOptions = {},
  weights?: ModelWeights,
): Promise<ForwardResult> {
  checkOptions("forward", options, FORWARD_OPTIONS);
  const { residual, ...rest } = options;
  const [result] = await forwardTexts(steps, [{ tokens, residual }], rest, weights);
  return result!;
}

/**
 * Runs texts in new sequences, as many in a pass as a step has rows for. Throws a RangeError for no tokens, for a tap that does not exist or
 * that the pass does not reach, for a residual of another shape, for a policy that chooses keys where no prompt ends, and for a hook that
 * returns another count of numbers.
 */
export async function forwardTexts(
  steps: Steps,
  texts: readonly ForwardText[],
  options: ForwardBatchOptions,
  weights?: ModelWeights,
): Promise<ForwardResult[]> {
  const { cache, promptLength, signal, stopAtLayer } = options;
  const logits = stopAtLayer === undefined ? (options.logits ?? "all") : "none";
  checkRange(steps, options);
  const isStepwise = cache?.keep !== undefined;
  for (const { tokens } of texts) {
    if (tokens.length === 0) throw new RangeError("a forward pass needs at least 1 token; it was given 0");
    const text = { tokens: tokens.length, most: tokens.length, promptLength, policy: cache, isOnePass: true };
    checkPromptLength("forward", text);
  }
  const inspected = texts.map((text, i) => {
    const rows = { all: text.tokens.length, last: 1, none: 0 }[logits];
    const room = rows > 0 ? new Float32Array(rows * steps.config.vocabSize) : null;
    return new InspectedText(text.tokens, i, room, givenResidual(steps, text, options));
  });
  const { inspection, recording, hasPatterns } = await plan(steps, options, weights);
  // A policy that chooses nothing is a rule, by which keys are hidden; none is dropped within a pass.
  const policy = cache && (isStepwise ? cache : { name: cache.name, rule: cache.rule ?? {}, isAnchor: cache.isAnchor });
  for (const group of groupsOf(inspected, isStepwise ? 1 : steps.chunkRows)) {
    const sequences = group.map(() => steps.open({ policy }));
    try {
      for (const end of endsOf(group[0]!, isStepwise ? promptLength! : Infinity)) {
        await pass(steps, { group, sequences, end, inspection, recording, hasPatterns, logits, signal });
      }
    } finally {
      for (const sequence of sequences) steps.close(sequence);
      await steps.shrink();
    }
  }
  return inspected.map((text) => resultOf(text, steps.config.vocabSize));
}

/** The taps and hooks that were asked for, and the recording that has them; the fused one where there is nothing to stop at. */
async function plan(steps: Steps, options: ForwardBatchOptions, weights: ModelWeights | undefined) {
  const { config, chunkRows, turns } = steps;
  const { capture = [], hooks = {}, cache, startAtLayer, stopAtLayer } = options;
  const isReached = reachedBy(options, config.layers);
  const matcher = (patterns: readonly string[]) => {
    const matches = tapMatcher(patterns, config);
    const names = tapNames(config).filter(matches);
    for (const pattern of patterns) {
      const own = tapNames(config).filter(tapMatcher([pattern], config));
      if (own.some(isReached)) continue;
      const end = stopAtLayer === undefined ? "" : ` and ends before layer ${stopAtLayer}`;
      throw new RangeError(
        `the pass begins at layer ${startAtLayer ?? 0}${end}: it does not reach the tap "${pattern}"`,
      );
    }
    const reached = new Set(names.filter(isReached));
    return (name: string) => reached.has(name);
  };
  const wants = matcher(capture);
  const matched = Object.entries(hooks).map(([pattern, hook]) => ({ matches: matcher([pattern]), hook }));
  const hooksOf = (name: string) => matched.filter(({ matches }) => matches(name)).map(({ hook }) => hook);
  const kinds = tapKinds(config.layers);
  const edits = (name: string) => hooksOf(name).length > 0;
  const asked = tapNames(config).filter((name) => wants(name) || edits(name));
  const outWeights = new Map<number, CapturedTensor>();
  for (const name of asked.filter((one) => one.endsWith("hook_result"))) {
    const layer = layerOfTap(name);
    outWeights.set(layer, await readWeight(steps, weights!, `blocks.${layer}.attn.W_O`));
  }
  const inspection: Inspection = { wants, hooksOf, chunkRows, turns, config, outWeights };
  const { isPerLayer, attentionLayers, wantsKeyNorms } = steps.keepingOf(cache);
  const request = { wants, edits };
  const key = [recordingKey(request, config), isPerLayer, attentionLayers, wantsKeyNorms, startAtLayer, stopAtLayer];
  const isPlain = asked.length === 0 && startAtLayer === undefined && stopAtLayer === undefined;
  const recording: AskedRecording | undefined = isPlain
    ? undefined
    : {
        key: JSON.stringify(key),
        taps: tapMarker(request, config),
        attentionLayers,
        wantsKeyNorms,
        startAtLayer,
        stopAtLayer,
      };
  return { inspection, recording, hasPatterns: asked.some((name) => kinds.get(name)!.shape === "pattern") };
}

/** Runs the rows of a group's texts up to position `end` that have not run. */
async function pass(
  steps: Steps,
  of: {
    readonly group: readonly InspectedText[];
    readonly sequences: readonly CachedSequence[];
    readonly end: number;
    readonly inspection: Inspection;
    readonly recording: AskedRecording | undefined;
    readonly hasPatterns: boolean;
    readonly logits: WantedLogits;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { group, sequences, end, inspection, recording, hasPatterns, logits, signal } = of;
  let row = 0;
  const rows = group.map((text, i) => {
    const sequence = sequences[i]!;
    const first = sequence.length;
    const begin = row;
    row += Math.min(end, text.tokens.length) - first;
    return { text, sequence, begin, end: row, first };
  });
  const parts = rows.map(({ text, sequence, first }) => ({ sequence, tokens: text.tokens.slice(first, end) }));
  for (const { sequence, tokens } of parts) sequence.promptLength ||= tokens.length;
  const isLast = end >= group[0]!.tokens.length;
  await steps.pass(parts, recording, { hasPatterns, signal }, async (passParts) => {
    const inside = new Pass(passParts);
    await new Inspector(inside, inspection, rows).run(logits === "last" && !isLast ? "none" : logits);
    if (sequences[0]!.keeping.policy.keep) await inside.letPoliciesAct();
  });
}

/** Texts that share a pass: as many as a step has rows for, one at least. */
function* groupsOf(texts: readonly InspectedText[], rows: number): Iterable<readonly InspectedText[]> {
  for (let begin = 0; begin < texts.length;) {
    let end = begin + 1;
    let count = texts[begin]!.tokens.length;
    while (end < texts.length && count + texts[end]!.tokens.length <= rows) count += texts[end++]!.tokens.length;
    yield texts.slice(begin, end);
    begin = end;
  }
}

/** Where the passes of a text end: at its end or, behind a prompt, after each token. */
function* endsOf({ tokens }: InspectedText, promptLength: number): Iterable<number> {
  for (let end = Math.min(promptLength, tokens.length); end < tokens.length; end++) yield end;
  yield promptLength === Infinity ? Infinity : tokens.length;
}

function resultOf({ logits, captured, calls }: InspectedText, vocabSize: number): ForwardResult {
  const residual = captured.get(RESIDUAL_OUT)?.tensor ?? null;
  const tensors = [...captured].filter(([name]) => name !== RESIDUAL_OUT);
  const ofTaps = Object.entries(calls).filter(([name]) => name !== RESIDUAL_OUT);
  return {
    logits: logits && new CapturedTensor([logits.length / vocabSize, vocabSize], logits),
    captured: Object.fromEntries(tensors.map(([name, { tensor }]): [string, CapturedTensor] => [name, tensor])),
    calls: Object.fromEntries(ofTaps),
    residual,
  };
}

/** Whether a pass comes to a tap: the embedding's, each layer's, and those behind the layers. */
function reachedBy({ startAtLayer, stopAtLayer }: ForwardBatchOptions, layers: number): (name: string) => boolean {
  return (name) => {
    const layer = layerOfTap(name);
    if (Number.isNaN(layer)) return name.startsWith("hook_") ? startAtLayer === undefined : stopAtLayer === undefined;
    return layer >= (startAtLayer ?? 0) && layer < (stopAtLayer ?? layers);
  };
}

function checkRange({ config: { layers } }: Steps, options: ForwardBatchOptions): void {
  const { startAtLayer, stopAtLayer, logits, cache } = options;
  wholeNumbers("forward", { startAtLayer, stopAtLayer }, 0);
  if ((startAtLayer ?? 0) > layers || (stopAtLayer ?? 0) > layers) {
    throw new RangeError(
      `forward: startAtLayer is ${startAtLayer ?? 0} and stopAtLayer ${stopAtLayer ?? layers}: the model has ${layers} layers`,
    );
  }
  if (stopAtLayer !== undefined && stopAtLayer <= (startAtLayer ?? -1)) {
    throw new RangeError(
      `forward: stopAtLayer is ${stopAtLayer}: it must be above startAtLayer, which is ${startAtLayer}`,
    );
  }
  if (stopAtLayer !== undefined && logits !== undefined && logits !== "none") {
    throw new RangeError(
      `forward: a pass that ends before layer ${stopAtLayer} has no logits: leave logits out, and give its residual to unembed`,
    );
  }
  if (cache?.keep && (startAtLayer !== undefined || stopAtLayer !== undefined)) {
    throw new RangeError(
      `forward: the policy "${cache.name}" chooses keys in every layer: leave startAtLayer and stopAtLayer out`,
    );
  }
}

/** The residual of a text that begins between layers, checked. */
function givenResidual(
  { config: { dim } }: Steps,
  { tokens, residual }: ForwardText,
  { startAtLayer }: ForwardBatchOptions,
): Float32Array | undefined {
  if ((residual === undefined) !== (startAtLayer === undefined)) {
    throw new RangeError(
      "forward: startAtLayer and residual go together: one says where the pass begins, one with what",
    );
  }
  if (!residual) return undefined;
  const { shape, data } = residual;
  if (shape.length === 2 && shape[0] === tokens.length && shape[1] === dim && data.length === tokens.length * dim) {
    return Float32Array.from(data);
  }
  throw new RangeError(
    `forward: the residual is [${shape.join(",")}] with ${data.length} numbers; ${tokens.length} tokens need [${tokens.length},${dim}]`,
  );
}
