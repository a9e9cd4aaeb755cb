// A model: configuration, tokenizer and engine under one name. What people use.

import {
  loadConfig,
  loadTokenizer,
  openFolder,
  openWeights,
  StreamDecoder,
  UnsupportedError,
  type ChatMessage,
  type ChatOptions,
  type FolderFiles,
  type ModelConfig,
  type ModelFolder,
  type Tokenizer,
} from "../../loaders/index.ts";
import { cacheFormats, isQuantized, type CacheFormat, type QuantizedFormat } from "../../kernels/index.ts";
import { anchorsAtLineBreaks, type AnchorChooser } from "../attention/anchors.ts";
import type { CachePolicy } from "../cache/policies/index.ts";
import type { CacheBytes, CacheStatistics } from "../cache/bytes.ts";
import type { Device } from "../devices/device.ts";
import { openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import { collect, generate, type GenerateOptions, type Generation } from "../generate/generate.ts";
import type { Piece, TextOf } from "../generate/rows.ts";
import { score, type Score } from "../generate/score.ts";
import type { AnchoredMessage } from "../prompt-anchoring/chat-anchors.ts";
import type { ExactComparison } from "../prompt-anchoring/exact.ts";
import type { AnchoringOptions, ContrastOptions } from "../prompt-anchoring/options.ts";
import type { AnchoredPrompt, PlannedPrompt } from "../prompt-anchoring/plan.ts";
import type { TuneMode } from "../tuning/measured.ts";
import type { KernelTuning, TuneKernelsOptions } from "../tuning/tune-kernels.ts";
import { ChatSession } from "./chat.ts";
import { EmbeddingTable } from "./embeddings.ts";
import { Engine } from "./engine.ts";
import { openedDecoder } from "./opened-decoder.ts";
import type { Looker, LookOptions, LookResult } from "./look.ts";
import { dryRun } from "./dry-run.ts";
import { tokenLogProbs } from "./token-log-probs.ts";
import { notesOn, quantizationFor } from "./notes.ts";
import { loadWeights, type ModelWeights } from "./weights.ts";

/** What is being done while a model loads. */
export interface LoadProgress {
  readonly stage: "files" | "weights" | "tuning" | "kernels";
  readonly done: number;
  readonly of: number;
  /** the tensor or file at hand */
  readonly detail: string;
}

export interface LoadOptions extends DeviceOptions {
  /** by name, `auto`, or a device opened by the caller, which then stays the caller's to dispose of */
  readonly device?: DeviceChoice | Device;
  /** most tokens of a sequence; the model's own limit by default */
  readonly contextLength?: number;
  /** most tokens kept by all sequences together */
  readonly maxCachedTokens?: number;
  /** keep matrices as int8 or int4 in groups of 32, made while loading; as stored by default, quantized files included. See docs/numerics.md */
  readonly quantize?: QuantizedFormat;
  /** what numbers of keys and values are kept as: f32 by default; f16 takes half the bytes, int8 about a quarter */
  readonly cacheType?: CacheFormat;
  /** rows of one prefill step; the device's preference by default */
  readonly chunkRows?: number;
  /**
   * Measured choice of kernel variants: follow what is kept for this machine ("kept"), time what is not within a second ("quick"),
   * or neither ("never"). By default a GPU with nothing kept is timed, and what is kept is followed.
   */
  readonly tune?: TuneMode;
  /** measured choice may take variants that round what others do not; false by default */
  readonly allowApproximate?: boolean;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a model generates: the sampler's and the stop rules' options, and which keys are kept. */
export interface ModelGenerateOptions extends GenerateOptions {
  /** which keys stay in the cache; the model's own way by default (all of them, or its anchors) */
  readonly cache?: CachePolicy | undefined;
  /** Selective Prompt Anchoring: hold on to parts of the prompt */
  readonly anchoring?: AnchoringOptions | undefined;
  /** decode against another prompt; not together with `anchoring` */
  readonly contrast?: ContrastOptions | undefined;
  /** told, a sentence each, what is worth knowing about this run */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A prompt: text, tokens, or the messages of a chat. */
export type Prompt = string | readonly number[] | readonly AnchoredMessage[];

/** What {@link Model.generateChecked} gives. */
export interface CheckedGeneration extends Generation {
  readonly passed: boolean;
  /** true if the plain text failed, so that the anchors were held */
  readonly isAnchored: boolean;
}

/** Bytes in use. */
export interface ModelMemory {
  readonly weights: number;
  /** keys and values: in tokens that are alive, in all that is reserved for them, and the most that has been alive */
  readonly cache: CacheBytes;
  readonly activations: number;
}

/** Loaded when it is asked for: most pages decode plainly. */
const promptAnchoring = () => import("../prompt-anchoring/index.ts");

/** A loaded model. Dispose of it when done: `using model = await loadModel(…)` or `model.dispose()`. */
export class Model implements AsyncDisposable {
  readonly config: ModelConfig;
  /** null for a folder without a tokenizer: prompts are then tokens */
  readonly tokenizer: Tokenizer | null;
  readonly device: Device;
  /** what matrices are kept as, null for as stored; with int4, embedding and head are int8 */
  readonly quantized: QuantizedFormat | null;
  /** what numbers of keys and values are kept as */
  readonly cacheType: CacheFormat;
  /** things worth knowing about this model here, a sentence each */
  readonly notes: readonly string[];
  /** most tokens of a sequence */
  readonly contextLength: number;
  readonly #engine: Engine;
  #looker: Promise<Looker> | undefined;
  readonly #embeddings: EmbeddingTable;
  readonly #ownsDevice: boolean;
  #lineBreaks: AnchorChooser | undefined;

  /** Use {@link loadModel}. */
  constructor(parts: {
    engine: Engine;
    tokenizer: Tokenizer | null;
    quantized: QuantizedFormat | null;
    notes: readonly string[];
    ownsDevice: boolean;
  }) {
    this.#engine = parts.engine;
    this.config = parts.engine.config;
    this.device = parts.engine.device;
    this.contextLength = parts.engine.contextLength;
    this.tokenizer = parts.tokenizer;
    this.quantized = parts.quantized;
    this.cacheType = parts.engine.cacheType;
    this.notes = parts.notes;
    this.#ownsDevice = parts.ownsDevice;
    this.#embeddings = new EmbeddingTable(parts.engine);
  }

  /** Continues a prompt: an async iterator of pieces of text. Breaking out of the loop frees what it held. */
  generate(
    prompt: Prompt | AnchoredPrompt,
    options: ModelGenerateOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    return this.generateBatch([prompt], options);
  }

  /** Continues several prompts as rows of one batch; `piece.prompt` says whose it is. Each is what it would be alone. */
  async *generateBatch(
    prompts: readonly (Prompt | AnchoredPrompt)[],
    options: ModelGenerateOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    const { cache, anchoring, contrast, onNote, ...rest } = options;
    const decoder = openedDecoder(this.#engine, { policy: this.policyFor(cache, onNote) });
    const generateOptions = { endTokens: this.config.endTokenIds, ...rest };
    const text = textOf(this.tokenizer);
    if (!anchoring && !contrast) {
      const tokens = prompts.map((prompt) => this.tokens(promptOf(prompt).prompt));
      yield* generate(decoder, text, tokens, generateOptions);
      return;
    }
    const planned = await this.#plan(prompts, anchoring && { onNote, ...anchoring }, contrast);
    const { contrastDecoder } = await promptAnchoring();
    // A decoder of plans for nothing but plain rows would only stand in the way of the device's own greedy choice.
    const isPlain = planned.every(({ ids, plan }) => plan.rows.length === 0 && plan.prompt === ids);
    const plans = planned.map(({ plan }) => plan);
    const tokens = planned.map(({ ids }) => ids);
    yield* generate(isPlain ? decoder : contrastDecoder(decoder, plans), text, tokens, generateOptions);
  }

  /**
   * Continues a prompt plainly; only if the caller's check does not pass, continues it again with its anchors held: the paper's
   * test-triggered anchoring.
   */
  async generateChecked(
    prompt: Prompt | AnchoredPrompt,
    check: (text: string) => boolean | Promise<boolean>,
    options: ModelGenerateOptions & { readonly anchoring: AnchoringOptions },
  ): Promise<CheckedGeneration> {
    const plainly = { ...options, anchoring: { ...options.anchoring, strength: 1 } };
    const [plain] = await collect(this.generate(withoutStrengths(prompt), plainly));
    if (await check(plain!.text)) return { ...plain!, passed: true, isAnchored: false };
    const [anchored] = await collect(this.generate(prompt, options));
    return { ...anchored!, passed: await check(anchored!.text), isAnchored: true };
  }

  /**
   * How far Selective Prompt Anchoring is from what it approximates: at each strength, the next-token distribution of the combined
   * logits beside that of the exact row with amplified embeddings.
   */
  async anchoringError(
    prompt: Prompt | AnchoredPrompt,
    strengths: readonly number[],
    options: Omit<AnchoringOptions, "strength" | "mode" | "schedule"> & { readonly signal?: AbortSignal } = {},
  ): Promise<ExactComparison[]> {
    const { signal, ...anchoring } = options;
    const { compareExact } = await promptAnchoring();
    const comparisons: ExactComparison[] = [];
    for (const strength of strengths) {
      const logits: Float32Array[] = [];
      for (const mode of ["first-order", "exact"] as const) {
        const [planned] = await this.#plan([withoutStrengths(prompt)], { ...anchoring, strength, mode }, undefined);
        logits.push(await this.#nextLogits(planned!, signal));
      }
      comparisons.push(compareExact(logits[0]!, logits[1]!, strength));
    }
    return comparisons;
  }

  /** A conversation that keeps its keys and values from turn to turn, those that `cache` says. */
  chat(options: ChatOptions & { readonly system?: string; readonly cache?: CachePolicy } = {}): ChatSession {
    if (!this.tokenizer) throw new UnsupportedError("a chat needs a tokenizer; this model's folder has none");
    const { cache, ...rest } = options;
    const decoder = openedDecoder(this.#engine, { policy: this.policyFor(cache) });
    return new ChatSession(decoder, this.tokenizer, textOf(this.tokenizer), this.config.endTokenIds, rest);
  }

  /** Log-probability of each token after the first, and the perplexity. */
  async score(
    prompt: Prompt,
    options: { readonly cache?: CachePolicy; readonly signal?: AbortSignal } = {},
  ): Promise<Score> {
    const tokens = this.tokens(prompt);
    if (tokens.length < 2) throw new RangeError(`a score needs at least 2 tokens; the text has ${tokens.length}`);
    const { cache, signal } = options;
    const policy = this.policyFor(cache);
    return score(await tokenLogProbs(this.#engine, tokens, { policy, ...(signal && { signal }) }));
  }

  /** One forward pass over a prompt, with inner tensors captured or replaced: see the guide, "Look inside". */
  forward(prompt: Prompt, options: LookOptions = {}): Promise<LookResult> {
    const cache = this.policyFor(options.cache);
    const tokens = this.tokens(prompt);
    this.#looker ??= import("./look.ts").then(({ Looker }) => new Looker(this.#engine));
    return this.#looker.then((looker) => looker.forward(tokens, { ...options, ...(cache && { cache }) }));
  }

  /**
   * A policy with what it leaves to the model filled in: anchors of a model that names none are its tokens with a line break, and
   * `onNote` is told that it was not trained for them.
   */
  policyFor(policy: CachePolicy | undefined, onNote?: (note: string) => void): CachePolicy | undefined {
    if (policy?.rule?.segmented !== 1 || this.config.anchors) return policy;
    onNote?.(
      "this model was not trained with anchor attention: nothing taught it to gather a line in its break, so expect worse text",
    );
    if (policy.isAnchor) return policy;
    if (!this.tokenizer) {
      throw new UnsupportedError(
        "this model names no anchors and has no tokenizer to find line breaks: give `isAnchor`",
      );
    }
    this.#lineBreaks ??= anchorsAtLineBreaks(this.tokenizer);
    return { ...policy, isAnchor: this.#lineBreaks };
  }

  /** The tokens of a prompt, special ones included as the tokenizer adds them. */
  tokens(prompt: Prompt): readonly number[] {
    if (typeof prompt !== "string" && isTokens(prompt)) return prompt;
    if (!this.tokenizer) {
      throw new UnsupportedError("this model's folder has no tokenizer: give the prompt as tokens");
    }
    if (typeof prompt === "string") return this.tokenizer.encode(prompt);
    const text = this.tokenizer.applyChatTemplate(prompt, { addGenerationPrompt: true });
    return this.tokenizer.encode(text, { addSpecialTokens: false });
  }

  async #plan(
    prompts: readonly (Prompt | AnchoredPrompt)[],
    anchoring: AnchoringOptions | undefined,
    contrast: ContrastOptions | undefined,
  ): Promise<PlannedPrompt[]> {
    if (anchoring && contrast) throw new RangeError("anchoring and contrast were both asked for: choose 1 of the 2");
    const { planAnchoring, planContrast } = await promptAnchoring();
    const parts = { tokenizer: this.tokenizer, embeddings: this.#embeddings };
    const planned: PlannedPrompt[] = [];
    for (const prompt of prompts) {
      const anchored = promptOf(prompt);
      planned.push(
        anchoring ? await planAnchoring(parts, anchored, anchoring) : planContrast(parts, anchored, contrast!),
      );
    }
    return planned;
  }

  /** Logits after a planned prompt. */
  async #nextLogits({ ids, plan }: PlannedPrompt, signal: AbortSignal | undefined): Promise<Float32Array> {
    const { contrastDecoder } = await promptAnchoring();
    const decoder = contrastDecoder(openedDecoder(this.#engine, {}), [plan]);
    const sequence = decoder.open();
    try {
      const [logits] = await decoder.logits([{ sequence, tokens: ids }], signal);
      return logits!;
    } finally {
      decoder.close(sequence);
    }
  }

  /**
   * Times the kernel variants that fit this model here and keeps the fastest, for what is loaded from now on. Throws an
   * UnsupportedError on a device that does not choose by measuring: `reference`, `webgl`, and any with `deterministic`.
   */
  async tuneKernels(options: TuneKernelsOptions = {}): Promise<KernelTuning> {
    const { device, config, weights, contextLength, chunkRows, cacheType } = this.#engine;
    if (!device.tuning) throw new UnsupportedError(`nothing is chosen by measuring on ${device.description}`);
    const { tuneModel } = await import("../tuning/measured.ts");
    return tuneModel({ device, config, weights, engineOptions: { contextLength, chunkRows, cacheType } }, options);
  }

  /** Bytes in use now. */
  memory(): ModelMemory {
    const { weights, activations } = this.device.memory();
    return { weights, activations, cache: this.#engine.cacheBytes() };
  }

  /** Bytes of keys and values over the steps since {@link resetCacheStatistics}, exact, beside those of a dense cache. */
  cacheStatistics(): CacheStatistics {
    return this.#engine.cacheStatistics();
  }

  resetCacheStatistics(): void {
    this.#engine.resetCacheStatistics();
  }

  /** Frees the weights, the cache and the activations; and the device, unless it is the caller's. */
  async dispose(): Promise<void> {
    if (this.#looker) (await this.#looker).dispose();
    this.#embeddings.dispose();
    this.#engine.dispose();
    if (this.#ownsDevice) await this.device.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** The text that follows a prompt: what its tokens leave unfinished (a character, a word's first space) is taken up. */
export function textOf(tokenizer: Tokenizer | null): TextOf {
  if (!tokenizer) return () => ({ push: () => "", finish: () => "" });
  return (prompt) => {
    const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: true });
    for (const token of prompt) decoder.push(token);
    return decoder;
  };
}

/** A prompt with its own anchors, if it comes with any. */
function promptOf(prompt: Prompt | AnchoredPrompt): AnchoredPrompt & { readonly prompt: Prompt } {
  return typeof prompt === "object" && "prompt" in prompt ? prompt : { prompt };
}

/** The prompt, all of whose anchors have the run's strength. */
function withoutStrengths(prompt: Prompt | AnchoredPrompt): AnchoredPrompt {
  const { prompt: own, anchors = [] } = promptOf(prompt);
  const plain = anchors.map((anchor) =>
    typeof anchor === "string" ? anchor : { ...anchor, strength: undefined, group: undefined },
  );
  return { prompt: own, anchors: plain };
}

function isTokens(prompt: readonly number[] | readonly ChatMessage[]): prompt is readonly number[] {
  return prompt.every((item) => typeof item === "number");
}

/** Where a model comes from: a folder's path, a URL, files, or a folder opened by the caller. */
export type ModelSource = string | URL | FolderFiles | ModelFolder;

/**
 * Loads a model from a folder with config.json, safetensors and (for text) tokenizer.json.
 *
 * Throws a FormatError for files that are wrong, an UnsupportedError for a model, format or device that kedge does not run, a
 * DeviceError when the device fails.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const { signal, onProgress } = options;
  const report = (stage: LoadProgress["stage"], done: number, of: number, detail: string) =>
    onProgress?.({ stage, done, of, detail });
  signal?.throwIfAborted();
  if (options.quantize !== undefined && !isQuantized(options.quantize)) {
    throw new UnsupportedError(`quantize is "${String(options.quantize)}": use "int8" or "int4"`);
  }
  if (options.cacheType !== undefined && !cacheFormats.includes(options.cacheType)) {
    throw new UnsupportedError(`cacheType is "${String(options.cacheType)}": use "f32", "f16" or "int8"`);
  }
  const folder = openFolder(source);
  report("files", 0, 3, "config.json");
  const config = await loadConfig(folder, signal);
  report("files", 1, 3, "weights");
  const checkpoint = await openWeights(folder, signal);
  const quantized = await quantizationFor(checkpoint, folder.name, options.quantize);
  report("files", 2, 3, "tokenizer");
  const ownsDevice = typeof options.device !== "object";
  // workers start and kernels compile while the tokenizer is read
  const opening = typeof options.device === "object" ? options.device : openDevice(options.device, options);
  const [opened, read] = await Promise.allSettled([opening, readTokenizer(folder, signal)]);
  let device = opened.status === "fulfilled" ? opened.value : undefined;
  let loaded: { readonly weights: ModelWeights } | undefined;
  try {
    if (read.status === "rejected") throw read.reason;
    if (!device) throw (opened as PromiseRejectedResult).reason;
    const tokenizer = read.value;
    const weightOptions = { file: folder.name, quantize: options.quantize, signal };
    const engineOptions = {
      contextLength: options.contextLength,
      maxSlots: options.maxCachedTokens,
      chunkRows: options.chunkRows,
      cacheType: options.cacheType,
    };
    device = await dryRun(device, { checkpoint, config, weightOptions, engineOptions }, options.device, options);
    const { weights, unused } = (loaded = await loadWeights(device, checkpoint, config, {
      ...weightOptions,
      onProgress: (done, of, detail) => report("weights", done, of, detail),
    }));
    if (device.tuning && options.tune !== "never") {
      const { tuneAtLoad } = await import("../tuning/measured.ts");
      await tuneAtLoad({ device, config, weights, engineOptions }, options.tune, {
        allowApproximate: options.allowApproximate ?? false,
        ...(signal ? { signal } : {}),
        onProgress: (done, of, detail) => report("tuning", done, of, detail),
      });
    }
    const engine = await Engine.create(device, config, weights, {
      ...engineOptions,
      ...(signal ? { signal } : {}),
      onProgress: (done, of) => report("kernels", done, of, "kernels"),
    });
    const notes = notesOn(config, tokenizer, unused, quantized);
    return new Model({ engine, tokenizer, ownsDevice, quantized: quantized.format, notes });
  } catch (error) {
    for (const one of loaded?.weights.all ?? []) device?.destroy(one);
    if (ownsDevice) await device?.dispose();
    throw error;
  } finally {
    await checkpoint.close();
  }
}

async function readTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer | null> {
  const hasTokenizer = (await folder.has("tokenizer.json")) || (await folder.has("vocab.json"));
  return hasTokenizer ? loadTokenizer(folder, signal) : null;
}
