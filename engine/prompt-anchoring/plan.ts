// Plans a prompt: finds its anchors and makes the rows that it is decoded against.

import { checkOptions, numberInRange } from "../options.ts";
import type { ChatMessage, ChatOptions, EncodeOptions, Tokenizer } from "../../loaders/index.ts";
import { encodeText, isTokens, LONG_TEXT } from "../generate/prompt-tokens.ts";
import { anchorChat, type AnchoredMessage } from "./chat-anchors.ts";
import { contrastStrength } from "./contrast.ts";
import type { ContrastPlan } from "./contrast-decoder.ts";
import { mixEmbeddings } from "./exact.ts";
import { chooseStandIn, maskedRows, type StandIn } from "./mask.ts";
import { DEFAULT_STRENGTH, type AnchoringOptions, type ContrastOptions } from "./options.ts";
import { resolveAnchors, type PromptAnchor, type AnchorGroups, type AnchorPrompt, type Span } from "./spans.ts";
import { needsMaskedRows } from "./strength.ts";
import { parseAnchorTags } from "./tags.ts";

/** A prompt with anchors of its own. */
export interface PromptWithAnchors {
  readonly prompt: string | readonly number[] | readonly AnchoredMessage[];
  readonly anchors?: readonly PromptAnchor[] | undefined;
}

/** The token embeddings of a model, unscaled. */
export interface Embeddings {
  readonly vocabSize: number;
  readonly dim: number;
  /** [tokens, dim] */
  of(tokens: readonly number[]): Promise<Float32Array>;
  /** the mean over the vocabulary [dim] */
  mean(): Promise<Float32Array>;
}

/** The vectors of a plan. Its token vocabSize + i names the i-th. */
class PlanVectors {
  readonly #vocabSize: number;
  readonly #numbers: number[] = [];
  readonly #dim: number;

  constructor({ vocabSize, dim }: Embeddings) {
    this.#vocabSize = vocabSize;
    this.#dim = dim;
  }

  /** Adds vectors [count, dim]; returns the token of the first. */
  add(vectors: Float32Array): number {
    const first = this.#vocabSize + this.#numbers.length / this.#dim;
    for (const value of vectors) this.#numbers.push(value);
    return first;
  }

  /** [count, dim]; undefined for none */
  data(): Float32Array | undefined {
    return this.#numbers.length > 0 ? Float32Array.from(this.#numbers) : undefined;
  }
}

/** A prompt's own tokens, and the plan of its rows. */
export interface PlannedPrompt {
  readonly ids: readonly number[];
  readonly plan: ContrastPlan;
}

/** The parts of a model that planning needs. */
export interface PlanningModel {
  readonly tokenizer: Tokenizer | null;
  readonly embeddings: Embeddings;
  /** what the chat template is given, for prompts that are messages */
  readonly template?: ChatOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A prompt as text and tokens, with the anchors that it names itself. */
interface ReadPrompt extends AnchorPrompt {
  readonly anchors: readonly PromptAnchor[];
}

/**
 * The plan for a prompt: second rows for the groups whose strength is not 1 (none in exact mode, where the prompt's own anchored
 * embeddings are amplified). Throws a RangeError where anchors cannot be found or do not fit together.
 */
export async function planAnchoring(
  model: PlanningModel,
  { prompt, anchors: own = [] }: PromptWithAnchors,
  options: AnchoringOptions,
): Promise<PlannedPrompt> {
  const { tokenizer, embeddings } = model;
  const { strength: given, schedule = "constant", collapse = false, recentQueries, onNote } = options;
  const strength = given ?? DEFAULT_STRENGTH;
  const read = await readPrompt(model, prompt, [...own, ...(options.anchors ?? [])]);
  const { groups, notes } = resolveAnchors(read, read.anchors, { strength });
  const { standIn, note } = chooseStandIn(tokenizer, {
    standIn: options.standIn,
    fallbackToken: options.maskToken,
    vocabSize: embeddings.vocabSize,
    dim: embeddings.dim,
  });
  for (const sentence of [note, ...notes]) onNote?.(sentence);
  const vectors = new PlanVectors(embeddings);
  if (options.mode === "exact") {
    if (schedule !== "constant" || collapse) {
      throw new RangeError("exact mode runs one row of embeddings: it has no schedules and cannot collapse spans");
    }
    const amplified = await amplify(embeddings, vectors, read.ids, groups, standIn, strength);
    return { ids: read.ids, plan: { prompt: amplified, rows: [], schedule, vectors: vectors.data() } };
  }
  const asToken = await tokenFor(embeddings, vectors, standIn);
  const masked = maskedRows(read.ids, groups, { kind: "token", token: asToken }, { collapse });
  const isNeeded = needsMaskedRows(groups);
  const rows = groups.flatMap((group, i) =>
    isNeeded[i] ? [{ prompt: masked[i]!, strength: group.strength!, anchors: group.tokens }] : [],
  );
  return { ids: read.ids, plan: { prompt: read.ids, rows, schedule, recentQueries, vectors: vectors.data() } };
}

/** The plan of a contrast with another prompt. */
export async function planContrast(
  model: Omit<PlanningModel, "embeddings">,
  { prompt }: PromptWithAnchors,
  contrast: ContrastOptions,
): Promise<PlannedPrompt> {
  checkContrast(contrast);
  const read = await readPrompt(model, prompt, contrast.method === "context" ? contrast.context : []);
  const { ids } = read;
  const strength = contrastStrength(contrast);
  const plan = (second: readonly number[], anchors: readonly Span[]): PlannedPrompt => ({
    ids,
    plan: { prompt: ids, rows: strength === 1 ? [] : [{ prompt: second, strength, anchors }], schedule: "constant" },
  });
  switch (contrast.method) {
    case "guidance":
      return plan(ids.slice(-1), [{ begin: 0, end: ids.length - 1 }]);
    case "negative-prompt": {
      const { prompt: second } = contrast;
      const { tokenizer, signal } = model;
      const tokens = typeof second === "string" ? await encodeText(needed(tokenizer), second, {}, signal) : second;
      return plan(tokens, [{ begin: 0, end: ids.length }]);
    }
    case "context": {
      const { groups } = resolveAnchors(read, read.anchors, { strength: 0 });
      const spans = groups.flatMap(({ tokens }) => tokens);
      const rest = ids.filter((_, at) => !spans.some(({ begin, end }) => at >= begin && at < end));
      if (rest.length === 0) throw new RangeError("the context is the whole prompt: at least 1 token must be left");
      return plan(rest, spans);
    }
    default:
      throw new RangeError(`there is no contrast ${JSON.stringify(contrast satisfies never)}`);
  }
}

/** Text, tokens and anchors of a prompt; `<anchor>` tags are taken out of text and messages. */
async function readPrompt(
  { tokenizer, template, signal }: Omit<PlanningModel, "embeddings">,
  prompt: PromptWithAnchors["prompt"],
  given: readonly PromptAnchor[],
): Promise<ReadPrompt> {
  if (typeof prompt === "string") {
    const { text, spans } = parseAnchorTags(prompt);
    const anchors = [...spans.map((characters) => ({ characters })), ...given];
    return placed(needed(tokenizer), text, { addSpecialTokens: true, signal }, anchors);
  }
  if (isTokens(prompt)) return { ids: prompt, anchors: given };
  const render = (messages: readonly ChatMessage[]) =>
    needed(tokenizer).applyChatTemplate(messages, { ...template, addGenerationPrompt: true });
  const { text, anchors } = anchorChat(prompt, render);
  return placed(needed(tokenizer), text, { addSpecialTokens: false, signal }, [...anchors, ...given]);
}

/** The tokens of a prompt, with their characters if there is an anchor that is named by them. */
async function placed(
  tokenizer: Tokenizer,
  text: string,
  { signal, ...options }: EncodeOptions & { readonly signal: AbortSignal | undefined },
  anchors: readonly PromptAnchor[],
): Promise<ReadPrompt> {
  const needsOffsets = anchors.some((anchor) => typeof anchor === "string" || !("tokens" in anchor));
  if (!needsOffsets) return { ids: await encodeText(tokenizer, text, options, signal), anchors };
  const tokens =
    text.length < LONG_TEXT
      ? tokenizer.encodeWithOffsets(text, options)
      : await tokenizer.encodeWithOffsetsInTurns(text, { ...options, signal });
  return { ...tokens, text, anchors };
}

function needed(tokenizer: Tokenizer | null): Tokenizer {
  if (!tokenizer) throw new RangeError("this model's folder has no tokenizer: give prompts and anchors as tokens");
  return tokenizer;
}

/** The token that names a stand-in: its own, or that of a vector added to the plan. */
async function tokenFor(embeddings: Embeddings, vectors: PlanVectors, standIn: StandIn): Promise<number> {
  return standIn.kind === "token" ? standIn.token : vectors.add(await vectorOf(embeddings, standIn));
}

/** The embedding of a stand-in [dim]. */
async function vectorOf(embeddings: Embeddings, standIn: StandIn): Promise<Float32Array> {
  switch (standIn.kind) {
    case "token":
      return embeddings.of([standIn.token]);
    case "mean":
      return embeddings.mean();
    case "zeros":
      return new Float32Array(embeddings.dim);
    case "vector":
      return Float32Array.from(standIn.vector);
    default:
      return standIn satisfies never;
  }
}

/** The prompt with E_mask + w (E - E_mask) in the place of each anchored embedding. */
async function amplify(
  embeddings: Embeddings,
  vectors: PlanVectors,
  ids: readonly number[],
  groups: AnchorGroups["groups"],
  standIn: StandIn,
  fallback: AnchoringOptions["strength"],
): Promise<number[]> {
  const tokens = [...ids];
  const mask = await vectorOf(embeddings, standIn);
  for (const group of groups) {
    const strength = group.strength ?? fallback;
    if (typeof strength !== "number") {
      throw new RangeError("exact mode amplifies the prompt's embeddings once: its strengths must be numbers");
    }
    for (const { begin, end } of group.tokens) {
      const own = await embeddings.of(ids.slice(begin, end));
      const first = vectors.add(mixEmbeddings(own, own, mask, strength));
      for (let at = begin; at < end; at++) tokens[at] = first + at - begin;
    }
  }
  return tokens;
}

/** Members of the contrasts beside `method`; the first is its strength. */
const CONTRASTS: Readonly<Record<ContrastOptions["method"], readonly string[]>> = {
  guidance: ["scale"],
  "negative-prompt": ["scale", "prompt"],
  context: ["alpha", "context"],
};

/** Throws a RangeError for a method or a member that there is not, and a strength that is no finite number. */
function checkContrast(contrast: ContrastOptions): void {
  const members = CONTRASTS[contrast.method] as readonly string[] | undefined;
  if (!members) {
    const methods = Object.keys(CONTRASTS).join('", "');
    throw new RangeError(`contrast: its method is ${JSON.stringify(contrast.method)}; it must be one of "${methods}"`);
  }
  const where = `contrast, ${contrast.method}`;
  checkOptions<object>(where, contrast, Object.fromEntries(["method", ...members].map((name) => [name, true])));
  const strength = (contrast as unknown as Readonly<Record<string, number>>)[members[0]!];
  numberInRange(where, members[0]!, strength ?? NaN, "a finite number", () => true);
}
