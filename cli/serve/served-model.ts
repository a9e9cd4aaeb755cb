// A model as the server has it: under a name, with room for so many rows and bytes.

import { estimate, type Model } from "kedge";
import type { Tokenizer } from "kedge/loaders";
import { Admission, type Need } from "./admission.ts";
import { ApiError, invalid } from "./api-error.ts";
import { toolFormatOf, type ToolFormat } from "./tool-calls.ts";

/** Limits of what one model does at a time. */
export interface ModelLimits {
  readonly rows: number;
  /** bytes of keys and values; one whole context is always allowed */
  readonly cacheBytes: number;
  readonly queue: number;
  /** tokens of an answer where the request does not say */
  readonly maxTokens: number;
}

/** A model that is served. */
export class ServedModel {
  readonly id: string;
  readonly model: Model;
  /** seconds since 1970 */
  readonly created = Math.floor(Date.now() / 1000);
  readonly admission: Admission;
  readonly maxTokens: number;
  /** how the model writes calls of tools; undefined where that is not known */
  readonly toolFormat: ToolFormat | undefined;
  readonly #bytesPerToken: number;

  constructor(id: string, model: Model, limits: ModelLimits) {
    this.id = id;
    this.model = model;
    this.maxTokens = limits.maxTokens;
    this.#bytesPerToken = estimate(model.config, "f32", 1, model.cacheType).cachePerToken;
    const bytes = Math.max(limits.cacheBytes, model.contextLength * this.#bytesPerToken);
    this.admission = new Admission({ rows: limits.rows, bytes, queue: limits.queue });
    this.toolFormat = model.tokenizer ? toolFormatOf(model.tokenizer) : undefined;
  }

  /** The tokenizer. Throws an {@link ApiError} for a model without one. */
  get tokenizer(): Tokenizer {
    const { tokenizer } = this.model;
    if (tokenizer) return tokenizer;
    throw invalid(`${this.id} has no tokenizer: give the prompt as a list of tokens`, "prompt");
  }

  /** What texts after prompts of so many tokens take: `samples` of each, `masked` rows beside each of them. */
  needOf(
    prompts: readonly number[],
    maxTokens: number,
    { samples = 1, masked = 0 } = {},
  ): Need & { readonly atOnce: number } {
    const { contextLength } = this.model;
    const rows = samples * (1 + masked);
    const bytesOf = (prompt: number) => {
      const written = Math.min(maxTokens, contextLength - prompt);
      return (1 + masked) * (prompt + samples * written) * this.#bytesPerToken;
    };
    const largest = prompts.map(bytesOf).sort((a, b) => b - a);
    const { limits } = this.admission;
    // One prompt at least: admission says what is wrong with one that is too large.
    let [atOnce, bytes] = [1, largest[0] ?? 0];
    while (atOnce < largest.length && (atOnce + 1) * rows <= limits.rows && bytes + largest[atOnce]! <= limits.bytes) {
      bytes += largest[atOnce++]!;
    }
    return { rows: rows * atOnce, bytes, atOnce };
  }

  /** Throws an {@link ApiError} for tokens that are no prompt. `leaves`: tokens that must still fit behind them. */
  checkPrompt(tokens: readonly number[], param: string, leaves: number): void {
    const { contextLength, config } = this.model;
    if (tokens.length === 0) throw invalid(`${param} is empty: it must have 1 token or more`, param);
    if (tokens.length > contextLength - leaves) {
      throw invalid(
        `${param} has ${tokens.length} tokens, but the context of ${this.id} holds ${contextLength}${leaves > 0 ? " with the answer" : ""}: shorten it`,
        param,
        "context_length_exceeded",
      );
    }
    const wrong = tokens.find((token) => token >= config.vocabSize);
    if (wrong !== undefined) {
      throw invalid(`${param} has token ${wrong}, but ${this.id} has ${config.vocabSize} tokens`, param);
    }
  }
}

/** The models by their names. */
export class ServedModels {
  readonly #models = new Map<string, ServedModel>();

  get all(): readonly ServedModel[] {
    return [...this.#models.values()];
  }

  add(served: ServedModel): void {
    this.#models.set(served.id, served);
  }

  /** The model of this name; the only one where no name is given. Throws an {@link ApiError}. */
  find(name: string | undefined): ServedModel {
    const names = [...this.#models.keys()];
    if (name === undefined) {
      if (names.length === 1) return this.#models.get(names[0]!)!;
      throw invalid(`model is missing: wanted one of ${names.join(", ")}`, "model");
    }
    const found = this.#models.get(name);
    if (found) return found;
    const shown = JSON.stringify(name.slice(0, 100));
    throw new ApiError(404, `there is no model ${shown}: this server has ${names.join(", ")}`, {
      code: "model_not_found",
      param: "model",
    });
  }
}
