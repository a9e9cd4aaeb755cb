// Reads the fields of a JSON object one by one, checked, and remembers which were read: what is left over at the end
// either has no part in the forward pass (the list below) or is refused, so that no setting is lost silently.

import { FormatError, UnsupportedError } from "./errors.ts";

/**
 * Fields of config.json that do not change what a forward pass gives: training (dropout, initialization), bookkeeping,
 * other heads than the language model's, how some other program runs the model, and defaults for generation.
 * A field is listed here only if transformers' own code for the eleven families does not use it in a forward pass.
 */
export const IGNORED_FIELDS: ReadonlySet<string> = new Set(
  [
    // bookkeeping
    "architectures auto_map model_type transformers_version _name_or_path name_or_path _commit_hash _from_model_config",
    "tokenizer_class prefix num_steps n_special predict_special_tokens output_past is_llama_config transformers.js_config unsloth_version unsloth_fixed",
    // precision and speed of another program's arithmetic: kedge computes in float32
    "torch_dtype dtype use_bfloat16 attention_softmax_in_fp32 scale_attention_softmax_in_fp32 reorder_and_upcast_attn",
    "pretraining_tp chunk_size_feed_forward torchscript gradient_checkpointing cache_implementation use_cache",
    "_attn_implementation _attn_implementation_internal _attn_implementation_autoset attn_implementation",
    "_experts_implementation_internal _flash_attn_2_enabled",
    // training
    "initializer_range initializer_factor attention_dropout hidden_dropout residual_dropout embedding_dropout",
    "embd_pdrop resid_pdrop attn_pdrop classifier_dropout summary_first_dropout tf_legacy_loss neftune_noise_alpha",
    // outputs and heads that kedge does not have
    "return_dict use_return_dict output_attentions output_hidden_states output_scores return_dict_in_generate",
    "id2label label2id num_labels problem_type finetuning_task task_specific_params is_decoder",
    "_num_labels summary_type summary_use_proj summary_activation summary_proj_to_labels tie_encoder_decoder",
    // defaults for generation, and token ids that no decoder uses
    "max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p",
    "typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids",
    "num_return_sequences forced_bos_token_id forced_eos_token_id remove_invalid_values suppress_tokens",
    "begin_suppress_tokens exponential_decay_length_penalty decoder_start_token_id sep_token_id",
  ].flatMap((words) => words.split(" ")),
);

/** Bounds of a number, both allowed. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** The fields of one JSON object. Every getter throws {@link FormatError} with the field, its value and what was wanted. */
export class Fields {
  /** Its name in messages: a file, or a file and a field. */
  readonly where: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #seen = new Set<string>();

  constructor(json: unknown, where: string) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new FormatError(where, `is ${show(json)}; wanted an object of settings`);
    }
    this.where = where;
    this.#values = json as Record<string, unknown>;
  }

  /** The value as it stands; undefined for an absent field and for null. */
  raw(name: string): unknown {
    this.#seen.add(name);
    return this.peek(name);
  }

  /** The value as it stands, without the field being marked as read. */
  peek(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  /** Whether the field is there at all, be it null. */
  isPresent(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  /** A whole number within the bounds; an absent or null one is the fallback, or an error without one. */
  integer(name: string, bounds: Bounds, fallback?: number): number {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < bounds.min || value > bounds.max) {
      throw this.wrong(name, `a whole number in ${bounds.min}..${bounds.max}`);
    }
    return value;
  }

  /** A finite number above zero; an absent or null one is the fallback, or an error without one. */
  positive(name: string, fallback?: number): number {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) throw this.wrong(name, "a number above 0");
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== "boolean") throw this.wrong(name, "true or false");
    return value;
  }

  string(name: string, fallback?: string): string {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== "string") throw this.wrong(name, "a text");
    return value;
  }

  /** A list of whole numbers within the bounds; a single one counts as a list, an absent one as an empty list. */
  integers(name: string, bounds: Bounds): number[] {
    const value = this.raw(name) ?? [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return list.map((item) => {
      if (typeof item !== "number" || !Number.isInteger(item) || item < bounds.min || item > bounds.max) {
        throw this.wrong(name, `whole numbers in ${bounds.min}..${bounds.max}`);
      }
      return item;
    });
  }

  /** Marks fields as understood although their values play no part. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#seen.add(name);
  }

  /** Throws {@link UnsupportedError} unless the field is absent, null, false or an allowed value. */
  refuse(name: string, why: string, ...allowed: readonly unknown[]): void {
    const value = this.raw(name);
    if (value === undefined || value === false || allowed.includes(value)) return;
    throw new UnsupportedError(`${this.where}: "${name}" is ${show(value)}, but ${why}`);
  }

  /**
   * Throws {@link UnsupportedError} for the first field that nobody has read, that is not among the harmless ones, and
   * that says something (null and false do not).
   */
  finish(harmless?: ReadonlySet<string>): void {
    for (const [name, value] of Object.entries(this.#values)) {
      if (this.#seen.has(name) || harmless?.has(name) === true || value === null || value === false) continue;
      throw new UnsupportedError(
        `${this.where}: "${name}" is ${show(value)}, which is not known here: the result might be wrong`,
      );
    }
  }

  /** The error for a value that cannot be. */
  wrong(name: string, wanted: string): FormatError {
    const found = this.isPresent(name) ? `is ${show(this.#values[name])}` : "is missing";
    return new FormatError(this.where, `"${name}" ${found}; wanted ${wanted}`);
  }
}

/** A JSON value as messages show it. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
