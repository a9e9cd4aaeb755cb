// Reads each family's config.json, field by field, as transformers 5.23 does: names, defaults (a config may
// leave out whatever equals its class's default) and the settings that kedge refuses. One small function a family.

import type { Activation, ModelConfig, ModelType } from "./model-config.ts";
import type { Fields } from "./config-fields.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { parseRotary, readRotary, type Rotary } from "./rotary.ts";

/** The part of a {@link ModelConfig} that differs between families. */
export type FamilyConfig = Omit<ModelConfig, "modelType" | "anchors" | "beginTokenId" | "endTokenIds" | "padTokenId">;

// Sizes above these are no models but mistakes or attacks: they stop a config from asking for absurd memory.
const WIDTHS = { min: 1, max: 2 ** 20 };
const LAYERS = { min: 1, max: 4096 };
const HEADS = { min: 1, max: 65_536 };
const TOKENS = { min: 1, max: 2 ** 24 };
const LENGTHS = { min: 1, max: 2 ** 31 };

/** Foreign names to ours; `gelu-tanh` has many, all the same function. */
const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map([
  ["silu", "silu"],
  ["swish", "silu"],
  ["gelu", "gelu"],
  ["gelu_python", "gelu"],
  ["gelu_new", "gelu-tanh"],
  ["gelu_fast", "gelu-tanh"],
  ["gelu_accurate", "gelu-tanh"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_python_tanh", "gelu-tanh"],
  ["relu", "relu"],
]);

function activation(fields: Fields, name: string, fallback: string): Activation {
  const foreign = fields.string(name, fallback);
  const found = ACTIVATIONS.get(foreign);
  if (found === undefined) {
    throw new UnsupportedError(
      `${fields.where}: "${name}" is ${JSON.stringify(foreign)}; supported are ${[...ACTIVATIONS.keys()].join(", ")}`,
    );
  }
  return found;
}

type Sizes = Pick<
  ModelConfig,
  "vocabSize" | "dim" | "layers" | "heads" | "kvHeads" | "headDim" | "hiddenDim" | "contextLength"
>;

function checkHeads(fields: Fields, sizes: Sizes): Sizes {
  const { heads, kvHeads } = sizes;
  if (heads % kvHeads !== 0) {
    throw new FormatError(
      fields.where,
      `has ${heads} attention heads and ${kvHeads} key/value heads; wanted a multiple`,
    );
  }
  return sizes;
}

function headWidth(fields: Fields, dim: number, heads: number): number {
  if (dim % heads !== 0) throw new FormatError(fields.where, `has width ${dim} and ${heads} heads; wanted a multiple`);
  return dim / heads;
}

/** Sizes under the names of Llama and all later families. */
function llamaSizes(
  fields: Fields,
  defaults: { contextLength: number; kvHeads?: number; headDim?: number; hasHeadDim?: boolean },
): Sizes {
  const dim = fields.integer("hidden_size", WIDTHS);
  const heads = fields.integer("num_attention_heads", HEADS);
  // Only an absent field takes the class's default; null has always meant "as many as heads".
  const kvDefault = fields.isPresent("num_key_value_heads") ? heads : (defaults.kvHeads ?? heads);
  const ownHeadDim = (defaults.hasHeadDim ?? true) ? fields.raw("head_dim") : undefined;
  const headDim =
    ownHeadDim === undefined ? (defaults.headDim ?? headWidth(fields, dim, heads)) : fields.integer("head_dim", WIDTHS);
  return checkHeads(fields, {
    vocabSize: fields.integer("vocab_size", TOKENS),
    dim,
    layers: fields.integer("num_hidden_layers", LAYERS),
    heads,
    kvHeads: fields.integer("num_key_value_heads", HEADS, kvDefault),
    headDim,
    hiddenDim: fields.integer("intermediate_size", WIDTHS),
    contextLength: fields.integer("max_position_embeddings", LENGTHS, defaults.contextLength),
  });
}

/** Sizes under the names of GPT-2, CodeGen and GPT-BigCode. */
function gptSizes(fields: Fields, contextLength: number): Sizes {
  const dim = fields.integer("n_embd", WIDTHS);
  const heads = fields.integer("n_head", HEADS);
  fields.ignore("n_ctx"); // an older name of n_positions that no code reads
  return {
    vocabSize: fields.integer("vocab_size", TOKENS),
    dim,
    layers: fields.integer("n_layer", LAYERS),
    heads,
    kvHeads: heads,
    headDim: headWidth(fields, dim, heads),
    hiddenDim: fields.integer("n_inner", WIDTHS, 4 * dim),
    contextLength: fields.integer("n_positions", LENGTHS, contextLength),
  };
}

/** Values that most families have; a family overrides the others. */
function common(sizes: Sizes): Omit<FamilyConfig, "normEpsilon" | "activation" | "tiedEmbeddings"> {
  return {
    ...sizes,
    rotary: null,
    attentionScales: perLayer(sizes.layers, sizes.headDim ** -0.5),
    attentionSoftcap: null,
    logitSoftcap: null,
    windows: perLayer(sizes.layers, 0),
    parallelResidual: false,
    qkNorm: false,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
  };
}

function perLayer(layers: number, value: number): number[] {
  return Array.from({ length: layers }, () => value);
}

/** `sliding_window`: null where it is null, and where it is absent without a fallback. */
function slidingWindow(fields: Fields, fallback: number | null): number | null {
  if (fields.raw("sliding_window") === undefined && (fallback === null || fields.isPresent("sliding_window")))
    return null;
  return fields.integer("sliding_window", { min: 0, max: LENGTHS.max }, fallback ?? undefined);
}

/** The window of a layer that has one. transformers shows such a layer no key at all where `sliding_window` is 0. */
function usableWindow(fields: Fields, window: number | null): number {
  if (window === null) throw fields.wrong("sliding_window", "a length, since layers have sliding attention");
  if (window > 0) return window;
  throw new UnsupportedError(
    `${fields.where}: "sliding_window" is 0, with which a token would see no key; use null for no window`,
  );
}

/** The same window in all layers; none where it is null. */
function sameWindow(fields: Fields, layers: number, window: number | null): number[] {
  return perLayer(layers, window === null ? 0 : usableWindow(fields, window));
}

/** Windows per layer from `layer_types`, or from the family's rule where that is absent. */
function windowsByType(
  fields: Fields,
  layers: number,
  window: number | null,
  isSliding: (layer: number) => boolean,
): number[] {
  const types = fields.raw("layer_types");
  if (types === undefined) {
    return Array.from({ length: layers }, (_, i) => (isSliding(i) ? usableWindow(fields, window) : 0));
  }
  if (!Array.isArray(types) || types.length !== layers) throw fields.wrong("layer_types", `a list of ${layers} names`);
  return types.map((type: unknown) => {
    if (type === "full_attention") return 0;
    if (type !== "sliding_attention") {
      throw new UnsupportedError(
        `${fields.where}: "layer_types" has ${JSON.stringify(type)}; supported are full_attention and sliding_attention`,
      );
    }
    return usableWindow(fields, window);
  });
}

function rotary(fields: Fields, sizes: Sizes): Rotary {
  return readRotary(fields, { headDim: sizes.headDim, contextLength: sizes.contextLength });
}

function llama(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 2048 });
  const attentionBias = fields.boolean("attention_bias", false);
  return {
    ...common(sizes),
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    activation: activation(fields, "hidden_act", "silu"),
    rotary: rotary(fields, sizes),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: fields.boolean("mlp_bias", false),
  };
}

function mistral(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 131_072, kvHeads: 8 });
  return {
    ...common(sizes),
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    activation: activation(fields, "hidden_act", "silu"),
    rotary: rotary(fields, sizes),
    windows: sameWindow(fields, sizes.layers, slidingWindow(fields, 4096)),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
  };
}

function qwen(fields: Fields, defaults: { headDim?: number }): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 32_768, kvHeads: 32, ...defaults });
  const usesWindow = fields.boolean("use_sliding_window", false);
  const firstSliding = fields.integer("max_window_layers", { min: 0, max: LENGTHS.max }, 28);
  const given = slidingWindow(fields, 4096);
  const window = usesWindow ? given : null;
  return {
    ...common(sizes),
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    activation: activation(fields, "hidden_act", "silu"),
    rotary: rotary(fields, sizes),
    windows: windowsByType(fields, sizes.layers, window, (layer) => window !== null && layer >= firstSliding),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
  };
}

function qwen2(fields: Fields): FamilyConfig {
  return { ...qwen(fields, {}), qkvBias: true };
}

function qwen3(fields: Fields): FamilyConfig {
  const attentionBias = fields.boolean("attention_bias", false);
  return { ...qwen(fields, { headDim: 128 }), qkNorm: true, qkvBias: attentionBias, outputBias: attentionBias };
}

const ALL_BIASES = { qkvBias: true, outputBias: true, mlpBias: true };

function gpt2(fields: Fields): FamilyConfig {
  const sizes = gptSizes(fields, 1024);
  fields.refuse("attention_head_type", "only heads with keys and values of their own are supported", "multihead");
  const scale = fields.boolean("scale_attn_weights", true) ? sizes.headDim ** -0.5 : 1;
  const isByLayer = fields.boolean("scale_attn_by_inverse_layer_idx", false);
  return {
    ...common(sizes),
    ...ALL_BIASES,
    normEpsilon: fields.positive("layer_norm_epsilon", 1e-5),
    activation: activation(fields, "activation_function", "gelu_new"),
    attentionScales: Array.from({ length: sizes.layers }, (_, i) => (isByLayer ? scale / (i + 1) : scale)),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
  };
}

function gptBigcode(fields: Fields): FamilyConfig {
  const sizes = gptSizes(fields, 1024);
  // Settings of BigCode's own inference server; num_key_value_heads follows from multi_query.
  fields.ignore("inference_runner", "max_batch_size", "max_sequence_length", "pad_key_length", "pre_allocate_kv_cache");
  fields.ignore("validate_runner_input", "num_key_value_heads");
  return {
    ...common({ ...sizes, kvHeads: fields.boolean("multi_query", true) ? 1 : sizes.heads }),
    ...ALL_BIASES,
    normEpsilon: fields.positive("layer_norm_epsilon", 1e-5),
    activation: activation(fields, "activation_function", "gelu_pytorch_tanh"),
    attentionScales: perLayer(sizes.layers, fields.boolean("scale_attn_weights", true) ? sizes.headDim ** -0.5 : 1),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
  };
}

function starcoder2(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 4096, kvHeads: 2 });
  // Left over in the published configs from the training code; hidden_act and norm_epsilon are what counts.
  fields.ignore("activation_function", "layer_norm_epsilon", "scale_attn_weights");
  fields.refuse("mlp_type", "only the plain feed-forward network is supported", "default");
  fields.refuse("norm_type", "only layer norm is supported", "layer_norm");
  const useBias = fields.boolean("use_bias", true);
  return {
    ...common(sizes),
    normEpsilon: fields.positive("norm_epsilon", 1e-5),
    activation: activation(fields, "hidden_act", "gelu_pytorch_tanh"),
    rotary: rotary(fields, sizes),
    windows: sameWindow(fields, sizes.layers, slidingWindow(fields, null)),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
    qkvBias: useBias,
    outputBias: useBias,
    mlpBias: useBias,
  };
}

function codegen(fields: Fields): FamilyConfig {
  const sizes = gptSizes(fields, 2048);
  fields.ignore("scale_attn_weights"); // CodeGen always scales
  const dims = fields.integer("rotary_dim", { min: 2, max: sizes.headDim }, 64);
  const part = { headDim: dims, contextLength: sizes.contextLength };
  return {
    ...common(sizes),
    normEpsilon: fields.positive("layer_norm_epsilon", 1e-5),
    activation: activation(fields, "activation_function", "gelu_new"),
    rotary: parseRotary({}, part, fields.where),
    parallelResidual: true,
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
    mlpBias: true,
  };
}

function gptNeox(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 2048, hasHeadDim: false });
  const attentionBias = fields.boolean("attention_bias", true);
  const theta = { thetaName: "rotary_emb_base", partName: "rotary_pct", defaultPart: 0.25 };
  const settings = readRotary(fields, { headDim: sizes.headDim, contextLength: sizes.contextLength, ...theta });
  // transformers reads these two names in other families only; here they may but repeat what is in force.
  fields.refuse("rope_theta", `the base in force is ${settings.theta}`, settings.theta);
  fields.refuse(
    "partial_rotary_factor",
    `${settings.dims} of ${sizes.headDim} dimensions are rotated`,
    settings.dims / sizes.headDim,
  );
  return {
    ...common(sizes),
    normEpsilon: fields.positive("layer_norm_eps", 1e-5),
    activation: activation(fields, "hidden_act", "gelu"),
    rotary: settings,
    parallelResidual: fields.boolean("use_parallel_residual", true),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: true,
  };
}

function phi(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 2048 });
  fields.refuse("qk_layernorm", "layer norms of queries and keys are not supported");
  return {
    ...common(sizes),
    ...ALL_BIASES,
    normEpsilon: fields.positive("layer_norm_eps", 1e-5),
    activation: activation(fields, "hidden_act", "gelu_new"),
    rotary: readRotary(fields, { headDim: sizes.headDim, contextLength: sizes.contextLength, defaultPart: 0.5 }),
    parallelResidual: true,
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
  };
}

function gemma2(fields: Fields): FamilyConfig {
  const sizes = llamaSizes(fields, { contextLength: 8192, kvHeads: 4, headDim: 256 });
  fields.ignore("hidden_act"); // hidden_activation is what counts
  const attentionBias = fields.boolean("attention_bias", false);
  return {
    ...common(sizes),
    normEpsilon: fields.positive("rms_norm_eps", 1e-6),
    activation: activation(fields, "hidden_activation", "gelu_pytorch_tanh"),
    rotary: rotary(fields, sizes),
    attentionScales: perLayer(sizes.layers, fields.positive("query_pre_attn_scalar", 256) ** -0.5),
    attentionSoftcap: softcap(fields, "attn_logit_softcapping", 50),
    logitSoftcap: softcap(fields, "final_logit_softcapping", 30),
    windows: windowsByType(fields, sizes.layers, slidingWindow(fields, 4096), (layer) => layer % 2 === 0),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
    qkvBias: attentionBias,
    outputBias: attentionBias,
  };
}

/** A soft cap: null where config.json says null. */
function softcap(fields: Fields, name: string, fallback: number): number | null {
  if (fields.isPresent(name) && fields.raw(name) === undefined) return null;
  return fields.positive(name, fallback);
}

/** How each family's config.json is read. */
export const FAMILY_READERS: Readonly<Record<ModelType, (fields: Fields) => FamilyConfig>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gpt2,
  gpt_bigcode: gptBigcode,
  starcoder2,
  codegen,
  gpt_neox: gptNeox,
  phi,
  gemma2,
};
