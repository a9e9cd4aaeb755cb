// A tiny random model of every family and of its variants, made on the spot, and its recorded forward pass.

import { openWeights, parseConfig, type ModelConfig, type ModelFolder } from "kedge/loaders";
import { CacheStore } from "../../engine/cache/store.ts";
import { ReferenceDevice } from "../../engine/devices/reference/reference-device.ts";
import { Activations } from "../../engine/model/activations.ts";
import { recordForward } from "../../engine/model/recording.ts";
import type { RecordOptions } from "../../engine/model/record-options.ts";
import { loadWeights } from "../../engine/model/weights.ts";
import { folderOf, randomTensors } from "./random-model.ts";

/** What the configurations of most families call the sizes of a model. */
const sizes = {
  vocab_size: 61,
  hidden_size: 40,
  intermediate_size: 56,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 96,
} as const;
const grouped = { ...sizes, num_key_value_heads: 2, rope_theta: 10_000, tie_word_embeddings: true } as const;
const llama = { ...grouped, model_type: "llama", head_dim: 12, rms_norm_eps: 1e-5, hidden_act: "silu" } as const;
const gpt2 = {
  model_type: "gpt2",
  vocab_size: 61,
  n_embd: 40,
  n_head: 4,
  n_inner: 56,
  n_layer: 2,
  n_positions: 96,
  layer_norm_epsilon: 1e-5,
  activation_function: "gelu_new",
  tie_word_embeddings: true,
} as const;
const gptNeox = {
  ...sizes,
  model_type: "gpt_neox",
  layer_norm_eps: 1e-5,
  hidden_act: "gelu",
  rotary_pct: 0.4,
  use_parallel_residual: true,
  tie_word_embeddings: false,
} as const;

/** config.json by name: every family, and the variants of a family whose forward pass is another one. */
export const FAMILY_CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama,
  "llama with biases": { ...llama, attention_bias: true, mlp_bias: true },
  "llama with layer-wise anchors": {
    ...llama,
    num_hidden_layers: 4,
    anchor_attention: { anchor_token_ids: [5], sinks: 1, anchor_sees_anchors: true, layer_map: { 2: 0, 3: 1 } },
  },
  mistral: { ...llama, model_type: "mistral", sliding_window: 8, tie_word_embeddings: false },
  qwen2: { ...llama, model_type: "qwen2" },
  qwen3: { ...llama, model_type: "qwen3" },
  gpt2,
  gpt_bigcode: { ...gpt2, model_type: "gpt_bigcode", multi_query: true, activation_function: "gelu_pytorch_tanh" },
  starcoder2: {
    ...grouped,
    model_type: "starcoder2",
    norm_epsilon: 1e-5,
    hidden_act: "gelu_pytorch_tanh",
    use_bias: true,
  },
  codegen: { ...gpt2, model_type: "codegen", rotary_dim: 4, tie_word_embeddings: false },
  gpt_neox: gptNeox,
  "gpt_neox in sequence": { ...gptNeox, use_parallel_residual: false },
  phi: {
    ...sizes,
    model_type: "phi",
    layer_norm_eps: 1e-5,
    hidden_act: "gelu_new",
    rope_theta: 10_000,
    partial_rotary_factor: 0.4,
    tie_word_embeddings: false,
  },
  gemma2: {
    ...grouped,
    model_type: "gemma2",
    head_dim: 12,
    rms_norm_eps: 1e-5,
    hidden_activation: "gelu_pytorch_tanh",
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    query_pre_attn_scalar: 12,
    sliding_window: 8,
    layer_types: ["sliding_attention", "full_attention"],
  },
};

/** The configuration of one of {@link FAMILY_CONFIGS}. */
export function familyConfig(name: string): ModelConfig {
  return parseConfig(FAMILY_CONFIGS[name]!);
}

/** One of {@link FAMILY_CONFIGS} with random weights, in memory. */
export function familyFolder(name: string): ModelFolder {
  const json = FAMILY_CONFIGS[name]!;
  return folderOf(json, randomTensors(json), name);
}

/** Rows that the activations of {@link recordFamily} have room for. */
export const RECORDED_ROWS = 8;

/** Records the forward pass of one of {@link FAMILY_CONFIGS} on the reference device. */
export async function recordFamily(name: string, options: RecordOptions = {}) {
  const device = new ReferenceDevice();
  const config = familyConfig(name);
  const { weights } = await loadWeights(device, await openWeights(familyFolder(name)), config, { file: name });
  const store = new CacheStore(device, { ...config, isPerLayer: false, maxSlots: 64 });
  const before = device.memory().activations;
  const activations = new Activations(device, config, RECORDED_ROWS);
  const recording = recordForward({ config, weights, store, activations }, options);
  return { config, recording, activationBytes: device.memory().activations - before };
}
