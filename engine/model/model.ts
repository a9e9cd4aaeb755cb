// A model: configuration, tokenizer and engine under one name. What people use.

import {
  StreamDecoder,
  UnsupportedError,
  type ChatOptions,
  type ModelConfig,
  type Tokenizer,
} from "../../loaders/index.ts";
import type { CacheFormat, QuantizedFormat } from "../../kernels/index.ts";
import type { CachePolicy } from "../cache/policies/index.ts";
import type { CacheBytes, CacheStatistics } from "../cache/bytes.ts";
import type { Device } from "../devices/device.ts";
import { collect, generate, type Generation } from "../generate/generate.ts";
import type { Piece, MakeTextStream } from "../generate/rows.ts";
import type { WatchableDecoder } from "../generate/decoder.ts";
import { encodeText, isTokens } from "../generate/prompt-tokens.ts";
import { score, type Score } from "../generate/score.ts";
import { checkOptions, numberInRange, wholeNumbers } from "../options.ts";
import type { ExactComparison } from "../prompt-anchoring/exact.ts";
import type { AnchoringOptions } from "../prompt-anchoring/options.ts";
import type { PromptWithAnchors } from "../prompt-anchoring/plan.ts";
import type { KernelTuning, TuneKernelsOptions } from "../tuning/tune-kernels.ts";
import type { AnchoredDecoding } from "./anchored-decoding.ts";
import type { BatchParts } from "./batch.ts";
import type { CapturedTensor } from "./captured.ts";
import { ChatSession, type ChatSessionOptions } from "./chat.ts";
import type { ChatHost } from "./conversation.ts";
import { EngineDecoder } from "./engine-decoder.ts";
import type { ForwardBatchOptions, ForwardOptions, ForwardPrompt, ForwardResult, GivenTensor } from "./forward.ts";
import { withLineAnchors } from "./line-anchors.ts";
import {
  BATCH_OPTIONS,
  GENERATE_OPTIONS,
  PROMPT_OPTIONS,
  SCORE_OPTIONS,
  TURN_OPTIONS,
  type BatchOptions,
  type ExactOptions,
  type ModelGenerateOptions,
  type ScoreOptions,
} from "./model-options.ts";
import { promptOf, type BatchPrompt, type Prompt } from "./prompts.ts";
import type { ShareRows } from "./shared-prompts.ts";
import type { Steps } from "./steps.ts";
import type { UnembedOptions } from "./unembed.ts";
import type { ModelWeights } from "./weights.ts";

/** The result of {@link Model.generateUntilPassed}. */
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
  /** notes on this model on this device, one sentence each */
  readonly notes: readonly string[];
  /** most tokens of a sequence */
  readonly contextLength: number;
  readonly #steps: Steps;
  readonly #weights: ModelWeights;
  /** made when a prompt is first anchored or contrasted */
  #anchored: AnchoredDecoding | undefined;
  readonly #ownsDevice: boolean;

  /** Use `loadModel`. */
  constructor(parts: {
    device: Device;
    steps: Steps;
    weights: ModelWeights;
    tokenizer: Tokenizer | null;
    quantized: QuantizedFormat | null;
    notes: readonly string[];
    ownsDevice: boolean;
  }) {
    this.#steps = parts.steps;
    this.#weights = parts.weights;
    this.config = parts.steps.config;
    this.device = parts.device;
    this.contextLength = parts.steps.contextLength;
    this.tokenizer = parts.tokenizer;
    this.quantized = parts.quantized;
    this.cacheType = parts.steps.cacheType;
    this.notes = parts.notes;
    this.#ownsDevice = parts.ownsDevice;
  }

  /** Continues a prompt: an async iterator of pieces of text. Breaking out of the loop frees what it held. */
  generate(
    prompt: Prompt | PromptWithAnchors,
    options: ModelGenerateOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    return this.generateBatch([prompt], options);
  }

  /**
   * Continues a prompt and resolves with the whole text. Throws a RangeError for `samples` above 1: `collect(model.generate(…))` gives
   * several.
   */
  async complete(prompt: Prompt | PromptWithAnchors, options: ModelGenerateOptions = {}): Promise<Generation> {
    checkOptions("complete", options, GENERATE_OPTIONS);
    const { samples = 1 } = options;
    if (samples !== 1) {
      throw new RangeError(
        `complete gives 1 text, but samples is ${samples}: use collect(model.generate(…)) for several`,
      );
    }
    const [generation] = await collect(this.generate(prompt, options));
    return generation!;
  }

  /**
   * Continues several prompts as rows of one batch; `piece.promptIndex` says whose it is. Each is what it would be alone. With `rows`, or
   * prompts that come one after the other, so many prompts are rows at a time: when one ends the next takes its place. A prompt may have
   * options of its own. Those of a list that follow one another and are equal are read once.
   */
  async *generateBatch(
    prompts: Iterable<Prompt | BatchPrompt> | AsyncIterable<Prompt | BatchPrompt>,
    options: BatchOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    this.#steps.turns.throwIfWithin();
    checkOptions("generate", options, BATCH_OPTIONS);
    const { cache, rows, ...rest } = options;
    wholeNumbers("generate", { rows }, 1);
    const list = Array.isArray(prompts) ? (prompts as readonly (Prompt | BatchPrompt)[]) : undefined;
    if (list && rows === undefined && !list.some((prompt) => promptOf(prompt).options)) {
      return yield* this.#decode(this.#decoderWith(cache, options.onNote), list, rest);
    }
    const { runBatch } = await import("./batch.ts");
    const parts: BatchParts = {
      steps: this.#steps,
      textOf: (prompt) => promptOf(prompt).prompt,
      begin: (prompt, index) => {
        const { options: own } = promptOf(prompt);
        if (own) checkOptions(`prompt ${index}`, own, PROMPT_OPTIONS);
        const { cache: policy, ...given } = { cache, ...rest, ...own };
        return { decoder: this.#decoderWith(policy, given.onNote), options: given };
      },
      decode: ({ decoder, options: own }, prompt, share) => this.#decode(decoder, [prompt], own, {}, share),
    };
    yield* runBatch(parts, prompts, options);
  }

  #decoderWith(cache: CachePolicy | undefined, onNote?: (note: string) => void): EngineDecoder {
    return new EngineDecoder(this.#steps, { policy: withLineAnchors(cache, this, onNote) });
  }

  /** Decodes prompts with a decoder; `template` is for prompts that are messages, `share` for rows that other prompts have too. */
  async *#decode(
    decoder: WatchableDecoder,
    prompts: readonly (Prompt | PromptWithAnchors)[],
    options: Omit<ModelGenerateOptions, "cache">,
    template: ChatOptions = {},
    share?: ShareRows,
  ): AsyncGenerator<Piece, void, undefined> {
    const { anchoring, contrast, onNote, ...rest } = options;
    const generateOptions = { endTokens: this.config.endTokenIds, ...rest };
    const text = textStreams(this.tokenizer);
    if (!anchoring && !contrast) {
      const tokens: (readonly number[])[] = [];
      for (const prompt of prompts) tokens.push(await this.#tokensOf(promptOf(prompt).prompt, options.signal));
      const using = share ? await share(tokens.map((own) => ({ tokens: own }))) : decoder;
      yield* generate(using, text, tokens, generateOptions);
      return;
    }
    const anchored = await this.#anchoredDecoding();
    const prepared = await anchored.prepare(decoder, prompts, { anchoring, contrast, onNote }, template, share);
    yield* generate(prepared.decoder, text, prepared.tokens, generateOptions);
  }

  /**
   * Continues a prompt plainly; only if the caller's check does not pass, continues it again with its anchors held: the paper's
   * test-triggered anchoring.
   */
  async generateUntilPassed(
    prompt: Prompt | PromptWithAnchors,
    check: (text: string) => boolean | Promise<boolean>,
    options: ModelGenerateOptions & { readonly anchoring: AnchoringOptions },
  ): Promise<CheckedGeneration> {
    const { withoutStrengths } = await import("./anchored-decoding.ts");
    const plainly = { ...options, anchoring: { ...options.anchoring, strength: 1 } };
    const plain = await this.complete(withoutStrengths(prompt), plainly);
    if (await check(plain.text)) return { ...plain, passed: true, isAnchored: false };
    const anchored = await this.complete(prompt, options);
    return { ...anchored, passed: await check(anchored.text), isAnchored: true };
  }

  /**
   * How far Selective Prompt Anchoring is from what it approximates: at each strength, the next-token distribution of the combined
   * logits, compared with that of the exact row with amplified embeddings.
   */
  async compareWithExact(
    prompt: Prompt | PromptWithAnchors,
    strengths: readonly number[],
    options: ExactOptions = {},
  ): Promise<ExactComparison[]> {
    this.#steps.turns.throwIfWithin();
    return (await this.#anchoredDecoding()).compareWithExact(prompt, strengths, options);
  }

  /** A conversation that keeps its keys and values from turn to turn, those that `cache` says. */
  chat(options: ChatSessionOptions & { readonly cache?: CachePolicy | undefined } = {}): ChatSession {
    if (!this.tokenizer) throw new UnsupportedError("a chat needs a tokenizer; this model's folder has none");
    const { cache, ...rest } = options;
    const decoder = this.#decoderWith(cache);
    const host: ChatHost = {
      tokenizer: this.tokenizer,
      decoder,
      generate: (using, prompt, turn, template) => {
        checkOptions("chat", turn, TURN_OPTIONS);
        return this.#decode(using, [prompt], turn, template);
      },
    };
    return new ChatSession(host, rest);
  }

  /**
   * Log-probability of each token after the first, or of those behind the prompt with `promptLength`, and the perplexity. A policy that
   * chooses keys needs `promptLength`: it acts where the prompt ends and after each token behind it.
   */
  async score(prompt: Prompt, options: ScoreOptions = {}): Promise<Score> {
    this.#steps.turns.throwIfWithin();
    checkOptions("score", options, SCORE_OPTIONS);
    const tokens = await this.#tokensOf(prompt, options.signal);
    if (tokens.length < 2) throw new RangeError(`a score needs at least 2 tokens; the text has ${tokens.length}`);
    const { cache, alternatives, ...rest } = options;
    const asked = { policy: withLineAnchors(cache, this), ...rest };
    const { tokenLogProbs, tokenAlternatives } = await import("./token-log-probs.ts");
    if (alternatives === undefined) return score(await tokenLogProbs(this.#steps, tokens, asked));
    const read = await tokenAlternatives(this.#steps, tokens, alternatives, asked);
    return { ...score(read.logProbs), alternatives: read.alternatives };
  }

  /** One forward pass over a prompt, with inner tensors captured or replaced: see the guide, "Look inside". */
  async forward(prompt: Prompt, options: ForwardOptions = {}): Promise<ForwardResult> {
    this.#steps.turns.throwIfWithin();
    const cache = withLineAnchors(options.cache, this);
    const tokens = await this.#tokensOf(prompt, options.signal);
    const { forward } = await import("./forward.ts");
    return forward(this.#steps, tokens, { ...options, cache }, this.#weights);
  }

  /**
   * The same for several prompts, of any lengths, as rows of as few passes as there is room for. Each prompt gives what it gives alone. With
   * `startAtLayer` each comes with its `residual`.
   */
  async forwardBatch(
    prompts: Iterable<Prompt | ForwardPrompt>,
    options: ForwardBatchOptions = {},
  ): Promise<ForwardResult[]> {
    this.#steps.turns.throwIfWithin();
    const cache = withLineAnchors(options.cache, this);
    const { forwardBatch } = await import("./forward.ts");
    const tokensOf = (prompt: Prompt) => this.#tokensOf(prompt, options.signal);
    return forwardBatch(this.#steps, prompts, { ...options, cache }, { weights: this.#weights, tokensOf });
  }

  /**
   * A weight by TransformerLens' name and in its shape, dequantized: `blocks.3.attn.W_Q` is [heads, dim, headDim]. Throws a RangeError for
   * one that there is not.
   */
  async weights(name: string): Promise<CapturedTensor> {
    this.#steps.turns.throwIfWithin();
    return (await import("./weight-names.ts")).readWeight(this.#steps, this.#weights, name);
  }

  /** The names of the weights that this model has, in the order of the forward pass. */
  async weightNames(): Promise<string[]> {
    return (await import("./weight-names.ts")).weightNamesOf(this.config, this.#weights);
  }

  /** The logits [rows, vocabSize] of residuals [rows, dim]: the final norm, the head and its soft cap, each of which can be left out. */
  async unembed(residual: GivenTensor, options: UnembedOptions = {}): Promise<CapturedTensor> {
    this.#steps.turns.throwIfWithin();
    return (await import("./unembed.ts")).unembed(this.#steps, this.#weights, residual, options);
  }

  /** The tokens of a prompt, special ones included as the tokenizer adds them. */
  tokenize(prompt: Prompt): readonly number[] {
    if (typeof prompt !== "string" && isTokens(prompt)) return prompt;
    const { tokenizer, text, options } = this.#textOf(prompt);
    return tokenizer.encode(text, options);
  }

  /** The same; a long text is cut into tokens in turns, between which other work of this thread goes on. */
  async #tokensOf(prompt: Prompt, signal: AbortSignal | undefined): Promise<readonly number[]> {
    if (typeof prompt !== "string" && isTokens(prompt)) return prompt;
    const { tokenizer, text, options } = this.#textOf(prompt);
    return encodeText(tokenizer, text, options, signal);
  }

  #textOf(prompt: Exclude<Prompt, readonly number[]>) {
    const { tokenizer } = this;
    if (!tokenizer) throw new UnsupportedError("this model's folder has no tokenizer: give the prompt as tokens");
    if (typeof prompt === "string") return { tokenizer, text: prompt, options: {} };
    const text = tokenizer.applyChatTemplate(prompt, { addGenerationPrompt: true });
    return { tokenizer, text, options: { addSpecialTokens: false } };
  }

  /** Loaded when it is asked for: most pages decode plainly. */
  async #anchoredDecoding(): Promise<AnchoredDecoding> {
    const { AnchoredDecoding } = await import("./anchored-decoding.ts");
    return (this.#anchored ??= new AnchoredDecoding(this.#steps, this.#weights, this.tokenizer));
  }

  /**
   * Times the kernel variants that fit this model here and keeps the fastest, for what is loaded from now on. Throws an
   * UnsupportedError on a device that does not choose by measuring: `reference`, `webgl`, and any with `deterministic`.
   */
  async tuneKernels(options: TuneKernelsOptions = {}): Promise<KernelTuning> {
    const { tuneModel, TUNE_KERNELS_OPTIONS } = await import("../tuning/measured.ts");
    checkOptions("tuneKernels", options, TUNE_KERNELS_OPTIONS);
    numberInRange("tuneKernels", "secondsPerRun", options.secondsPerRun, "a number above 0", (seconds) => seconds > 0);
    const { device, config, contextLength, cacheType } = this;
    if (!device.tuning) throw new UnsupportedError(`nothing is chosen by measuring on ${device.description}`);
    const stepsOptions = { contextLength, chunkRows: this.#steps.chunkRows, cacheType };
    return tuneModel({ device, config, weights: this.#weights, stepsOptions }, options);
  }

  /** Bytes in use now. */
  memory(): ModelMemory {
    const { weights, activations } = this.device.memory();
    return { weights, activations, cache: this.#steps.cacheBytes() };
  }

  /**
   * Bytes of keys and values over the steps since {@link resetCacheStatistics}, exact, and those of a dense cache. With a policy: of the
   * sequences of this very object, over their steps since it was given to `resetCacheStatistics`, so that those of one batch can be told apart;
   * of prompts that it shares each counts its own copy, from the last token on.
   */
  cacheStatistics(policy?: CachePolicy): CacheStatistics {
    return this.#steps.cacheStatistics(withLineAnchors(policy, this));
  }

  resetCacheStatistics(policy?: CachePolicy): void {
    this.#steps.resetCacheStatistics(withLineAnchors(policy, this));
  }

  /** Frees the weights, the cache and the activations; and the device, unless it is the caller's. */
  async dispose(): Promise<void> {
    this.#anchored?.dispose();
    this.#steps.dispose();
    if (this.#ownsDevice) await this.device.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** Makes text streams that continue a prompt: a character or a word's first space that the prompt leaves unfinished is completed. */
export function textStreams(tokenizer: Tokenizer | null): MakeTextStream {
  if (!tokenizer) return () => ({ push: () => "", finish: () => "" });
  return (prompt) => {
    const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: true });
    for (const token of prompt) decoder.push(token);
    return decoder;
  };
}
