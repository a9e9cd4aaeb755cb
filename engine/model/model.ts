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
import type { CachePolicy } from "../cache/policies/index.ts";
import type { CacheBytes } from "../cache/store.ts";
import type { Device } from "../devices/device.ts";
import { openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import { generate, type GenerateOptions } from "../generate/generate.ts";
import type { Piece, TextOf } from "../generate/rows.ts";
import { score, type Score } from "../generate/score.ts";
import { ChatSession } from "./chat.ts";
import { Engine } from "./engine.ts";
import { Looker, type LookOptions, type LookResult } from "./look.ts";
import { loadWeights } from "./weights.ts";

/** What is being done while a model loads. */
export interface LoadProgress {
  readonly stage: "files" | "weights" | "kernels";
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
  /** rows of one prefill step; the device's preference by default */
  readonly chunkRows?: number;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a model generates: the sampler's and the stop rules' options, and which keys are kept. */
export interface ModelGenerateOptions extends GenerateOptions {
  /** which keys stay in the cache; the model's own way by default (all of them, or its anchors) */
  readonly cache?: CachePolicy;
}

/** A prompt: text, tokens, or the messages of a chat. */
export type Prompt = string | readonly number[] | readonly ChatMessage[];

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
  /** things worth knowing about this model here, a sentence each */
  readonly notes: readonly string[];
  /** most tokens of a sequence */
  readonly contextLength: number;
  readonly #engine: Engine;
  readonly #looker: Looker;
  readonly #ownsDevice: boolean;

  /** Use {@link loadModel}. */
  constructor(parts: { engine: Engine; tokenizer: Tokenizer | null; notes: readonly string[]; ownsDevice: boolean }) {
    this.#engine = parts.engine;
    this.config = parts.engine.config;
    this.device = parts.engine.device;
    this.contextLength = parts.engine.contextLength;
    this.tokenizer = parts.tokenizer;
    this.notes = parts.notes;
    this.#ownsDevice = parts.ownsDevice;
    this.#looker = new Looker(parts.engine);
  }

  /** Continues a prompt: an async iterator of pieces of text. Breaking out of the loop frees what it held. */
  generate(prompt: Prompt, options: ModelGenerateOptions = {}): AsyncGenerator<Piece, void, undefined> {
    return this.generateBatch([prompt], options);
  }

  /** Continues several prompts as rows of one batch; `piece.prompt` says whose it is. Each is what it would be alone. */
  generateBatch(
    prompts: readonly Prompt[],
    options: ModelGenerateOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    const tokens = prompts.map((prompt) => this.tokens(prompt));
    const { cache, ...rest } = options;
    const decoder = cache ? this.#engine.opening({ policy: cache }) : this.#engine;
    return generate(decoder, textOf(this.tokenizer), tokens, { endTokens: this.config.endTokenIds, ...rest });
  }

  /** A conversation that keeps its keys and values from turn to turn. */
  chat(options: ChatOptions & { readonly system?: string } = {}): ChatSession {
    if (!this.tokenizer) throw new UnsupportedError("a chat needs a tokenizer; this model's folder has none");
    return new ChatSession(this.#engine, this.tokenizer, textOf(this.tokenizer), this.config.endTokenIds, options);
  }

  /** Log-probability of each token after the first, and the perplexity. */
  async score(
    prompt: Prompt,
    options: { readonly cache?: CachePolicy; readonly signal?: AbortSignal } = {},
  ): Promise<Score> {
    const tokens = this.tokens(prompt);
    if (tokens.length < 2) throw new RangeError(`a score needs at least 2 tokens; the text has ${tokens.length}`);
    const { cache: policy, signal } = options;
    return score(await this.#engine.tokenLogProbs(tokens, { policy, ...(signal && { signal }) }));
  }

  /** One forward pass over a prompt, with inner tensors captured or replaced: see the guide, "Look inside". */
  forward(prompt: Prompt, options: LookOptions = {}): Promise<LookResult> {
    return this.#looker.forward(this.tokens(prompt), options);
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

  /** Bytes in use now. */
  memory(): ModelMemory {
    const { weights, activations } = this.device.memory();
    return { weights, activations, cache: this.#engine.cacheBytes() };
  }

  /** Frees the cache and the activations; and the weights and the device, unless the device is the caller's. */
  async dispose(): Promise<void> {
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

function isTokens(prompt: readonly number[] | readonly ChatMessage[]): prompt is readonly number[] {
  return prompt.every((item) => typeof item === "number");
}

/** Where a model comes from: a folder's path, a URL, files, or a folder opened by the caller. */
export type ModelSource = string | URL | FolderFiles | ModelFolder;

/**
 * Loads a model from a folder with config.json, safetensors and (for text) tokenizer.json.
 *
 * Throws a FormatError for files that are wrong, an UnsupportedError for a model or device that kedge does not run, a
 * DeviceError when the device fails.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const { signal, onProgress } = options;
  const report = (stage: LoadProgress["stage"], done: number, of: number, detail: string) =>
    onProgress?.({ stage, done, of, detail });
  signal?.throwIfAborted();
  const folder = openFolder(source);
  report("files", 0, 3, "config.json");
  const config = await loadConfig(folder, signal);
  report("files", 1, 3, "tokenizer");
  const tokenizer = (await hasTokenizer(folder)) ? await loadTokenizer(folder, signal) : null;
  report("files", 2, 3, "weights");
  const checkpoint = await openWeights(folder, signal);
  let device: Device | undefined;
  const ownsDevice = typeof options.device !== "object";
  try {
    device = typeof options.device === "object" ? options.device : await openDevice(options.device, options);
    const { weights, unused } = await loadWeights(device, checkpoint, config, {
      file: folder.name,
      onProgress: (done, of, detail) => report("weights", done, of, detail),
      signal,
    });
    const engine = await Engine.create(device, config, weights, {
      contextLength: options.contextLength,
      maxSlots: options.maxCachedTokens,
      chunkRows: options.chunkRows,
      ...(signal ? { signal } : {}),
      onProgress: (done, of) => report("kernels", done, of, "kernels"),
    });
    return new Model({ engine, tokenizer, ownsDevice, notes: notesOn(config, tokenizer, unused) });
  } catch (error) {
    if (ownsDevice) await device?.dispose();
    throw error;
  } finally {
    await checkpoint.close();
  }
}

async function hasTokenizer(folder: ModelFolder): Promise<boolean> {
  return (await folder.has("tokenizer.json")) || (await folder.has("vocab.json"));
}

function notesOn(config: ModelConfig, tokenizer: Tokenizer | null, unused: readonly string[]): string[] {
  const notes: string[] = [];
  if (unused.length > 0) {
    const some = unused.slice(0, 3).join(", ");
    notes.push(`${unused.length} tensors of the checkpoint are not part of this family and were left out: ${some}`);
  }
  if (tokenizer && tokenizer.vocabSize > config.vocabSize) {
    notes.push(`the tokenizer knows ${tokenizer.vocabSize} tokens, the model ${config.vocabSize}`);
  }
  return notes;
}
