// A tiny random model of every family, made on the spot: tests of the forward pass need no files for them.

import {
  filesFolder,
  parseConfig,
  writeSafetensors,
  type ModelConfig,
  type ModelFolder,
  type TensorToWrite,
} from "kedge/loaders";
import { seededRandom } from "kedge/kernels";
import { families } from "../../engine/model/families/index.ts";

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
  const config = familyConfig(name);
  const { dim, heads, kvHeads, headDim, hiddenDim, vocabSize, contextLength, layers } = config;
  const family = families[FAMILY_CONFIGS[name]!["model_type"] as keyof typeof families];
  const prefix = family.prefixes[0] ?? "";
  const random = seededRandom(7);
  const tensors: TensorToWrite[] = [];
  const add = (tensor: string, shape: readonly number[], scale: number, center = 0) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length }, () => center + random.normal() * scale);
    tensors.push({ name: tensor, dtype: "F32", shape, values });
  };
  const norm = (module: string | undefined, size = dim, hasBias = family.norm === "layer") => {
    if (module === undefined) return;
    add(`${module}.weight`, [size], 0.2, 1 - family.normWeightOffset);
    if (hasBias) add(`${module}.bias`, [size], 0.2);
  };
  const linear = (module: string | undefined, rows: number, columns: number, hasBias: boolean) => {
    if (module === undefined) return;
    add(`${module}.weight`, family.isTransposed ? [columns, rows] : [rows, columns], 0.3);
    if (hasBias) add(`${module}.bias`, [rows], 0.2);
  };

  add(`${prefix}${family.embedding}.weight`, [vocabSize, dim], 1);
  if (family.positions) add(`${prefix}${family.positions}.weight`, [contextLength, dim], 0.5);
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  for (let i = 0; i < layers; i++) {
    const at = (module: string | undefined) => module && prefix + module.replace("{i}", String(i));
    const { qkv, ...modules } = family.layer;
    for (const one of [modules.attentionNorm, modules.postAttentionNorm, modules.mlpNorm, modules.postMlpNorm]) {
      norm(at(one));
    }
    if (config.qkNorm) for (const one of [modules.qNorm, modules.kNorm]) norm(at(one), headDim, false);
    if ("fused" in qkv) {
      linear(at(qkv.fused), q + 2 * kv, dim, config.qkvBias);
    } else {
      linear(at(qkv.q), q, dim, config.qkvBias);
      linear(at(qkv.k), kv, dim, config.qkvBias);
      linear(at(qkv.v), kv, dim, config.qkvBias);
    }
    linear(at(modules.out), dim, q, config.outputBias);
    linear(at(modules.gate), hiddenDim, dim, config.mlpBias);
    linear(at(modules.up), hiddenDim, dim, config.mlpBias);
    linear(at(modules.down), dim, hiddenDim, config.mlpBias);
    if (config.anchors?.layerMap.has(i)) add(`${prefix}layers.${i}.self_attn.anchor_bias`, [heads], 0.5);
  }
  norm(prefix + family.finalNorm);
  if (!config.tiedEmbeddings) add(`${family.head}.weight`, [vocabSize, dim], 0.3);
  if (family.hasHeadBias) add(`${family.head}.bias`, [vocabSize], 0.2);
  const files = new Map([
    ["config.json", new Blob([JSON.stringify(FAMILY_CONFIGS[name])])],
    ["model.safetensors", new Blob([writeSafetensors(tensors) as Uint8Array<ArrayBuffer>])],
  ]);
  return filesFolder(files, name);
}
