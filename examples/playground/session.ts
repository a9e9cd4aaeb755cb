// One loaded model and what was generated with it last: everything of the page that is not about elements.

import { loadModel, type LoadProgress, type Model } from "kedge";
import type { DeviceChoice } from "kedge/devices";

/** What a run has come to so far. */
export interface RunFacts {
  readonly promptTokens: number;
  readonly newTokens: number;
  /** from the start to the first piece: the prompt's pass and one token */
  readonly promptTokensPerSecond: number;
  /** of the tokens after the first piece; NaN before there are any */
  readonly tokensPerSecond: number;
  /** bytes of the model's weights */
  readonly weights: number;
  /** most bytes of keys and values in this run, exact */
  readonly cachePeak: number;
}

/** How to generate. */
export interface RunOptions {
  readonly temperature: number;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** Attention of every head over one text. */
export interface Patterns {
  readonly tokens: readonly string[];
  readonly layers: number;
  readonly heads: number;
  /** weights [queries, keys] of a head */
  weights(layer: number, head: number): Float32Array;
}

/** Tokens beyond which patterns are not shown: a cell would be smaller than a pixel of most screens. */
export const MOST_PATTERN_TOKENS = 384;

/** A function of the shipped models ends with its first line that is "}". */
function stopWhen({ text }: { readonly text: string }): boolean {
  return /^\}\n/m.test(text);
}

/** A model in the page. */
export class Session {
  readonly model: Model;
  /** tokens of the last prompt and what was generated after it */
  #tokens: number[] = [];

  private constructor(model: Model) {
    this.model = model;
  }

  /** Loads a model over HTTP. */
  static async load(
    url: URL,
    device: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Session> {
    return new Session(await loadModel(url, { device, onProgress, signal }));
  }

  /** Continues a prompt up to the end of a function; `onText` is given each piece as it comes. */
  async run(
    prompt: string,
    { temperature, maxTokens, signal }: RunOptions,
    onText: (text: string, facts: RunFacts) => void,
  ): Promise<void> {
    const { model } = this;
    const promptTokens = model.tokenize(prompt);
    this.#tokens = [...promptTokens];
    model.resetCacheStatistics();
    const begin = performance.now();
    let first = { at: 0, tokens: 0 };
    for await (const piece of model.generate(promptTokens, { temperature, maxTokens, stopWhen, signal })) {
      this.#tokens.push(...piece.tokens);
      const now = performance.now();
      const newTokens = this.#tokens.length - promptTokens.length;
      if (first.tokens === 0) first = { at: now, tokens: newTokens };
      onText(piece.text, {
        promptTokens: promptTokens.length,
        newTokens,
        promptTokensPerSecond: (promptTokens.length * 1000) / (first.at - begin),
        tokensPerSecond: newTokens > first.tokens ? ((newTokens - first.tokens) * 1000) / (now - first.at) : NaN,
        weights: model.memory().weights,
        cachePeak: model.cacheStatistics().peak,
      });
    }
  }

  /** The attention patterns of the last prompt and text. */
  async patterns(): Promise<Patterns> {
    const { model } = this;
    const { layers, heads } = model.config;
    const ids = this.#tokens.slice(0, MOST_PATTERN_TOKENS);
    const { captured } = await model.forward(ids, { capture: ["blocks.*.attn.hook_pattern"], logits: "none" });
    const count = ids.length;
    return {
      tokens: ids.map((id) => model.tokenizer?.decode([id]) ?? String(id)),
      layers,
      heads,
      weights(layer, head) {
        const { shape, data } = captured[`blocks.${layer}.attn.hook_pattern`]!;
        const columns = shape[2]!; // twice the tokens where a layer reads another's anchors too
        const weights = new Float32Array(count * count);
        for (let query = 0; query < count; query++) {
          const begin = (head * count + query) * columns;
          for (let key = 0; key < columns; key++) weights[query * count + (key % count)]! += data[begin + key]!;
        }
        return weights;
      },
    };
  }

  async dispose(): Promise<void> {
    await this.model.dispose();
  }
}
