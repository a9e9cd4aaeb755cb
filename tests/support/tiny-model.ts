// Tiny random models made on the spot, so that tests of the engine need no files.

import { filesFolder, writeSafetensors, type ModelFolder, type TensorToWrite } from "kedge/loaders";
import { seededRandom } from "kedge/kernels";

/** Sizes of a tiny Llama; every one differs from the others, so that a mixed-up axis shows. */
export const TINY = {
  model_type: "llama",
  vocab_size: 67,
  hidden_size: 48,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 20,
  intermediate_size: 72,
  max_position_embeddings: 160,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  hidden_act: "silu",
} as const;

/** Changes a tensor before it is written. */
export type EditTensor = (tensor: TensorToWrite & { readonly values: Float32Array }) => TensorToWrite;

/** The files of a tiny Llama; `changes` go into its config.json. */
export function tinyFiles(
  changes: Readonly<Record<string, unknown>> = {},
  edit: EditTensor = (tensor) => tensor,
): Map<string, Blob> {
  const config = { ...TINY, ...changes };
  const random = seededRandom(7);
  const tensors: TensorToWrite[] = [];
  const add = (name: string, shape: readonly number[], scale: number, center = 0) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length }, () => center + random.normal() * scale);
    tensors.push(edit({ name, dtype: "F32", shape, values }));
  };
  const { hidden_size: dim, head_dim, intermediate_size: hidden, vocab_size: vocab } = config;
  const [q, kv] = [config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim];
  add("model.embed_tokens.weight", [vocab, dim], 1);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const at = `model.layers.${i}`;
    add(`${at}.input_layernorm.weight`, [dim], 0.1, 1);
    add(`${at}.self_attn.q_proj.weight`, [q, dim], 0.3);
    add(`${at}.self_attn.k_proj.weight`, [kv, dim], 0.3);
    add(`${at}.self_attn.v_proj.weight`, [kv, dim], 0.3);
    add(`${at}.self_attn.o_proj.weight`, [dim, q], 0.3);
    add(`${at}.post_attention_layernorm.weight`, [dim], 0.1, 1);
    add(`${at}.mlp.gate_proj.weight`, [hidden, dim], 0.3);
    add(`${at}.mlp.up_proj.weight`, [hidden, dim], 0.3);
    add(`${at}.mlp.down_proj.weight`, [dim, hidden], 0.3);
  }
  add("model.norm.weight", [dim], 0.1, 1);
  if (!config.tie_word_embeddings) add("lm_head.weight", [vocab, dim], 0.3);
  return new Map([
    ["config.json", new Blob([JSON.stringify(config)])],
    ["model.safetensors", new Blob([writeSafetensors(tensors) as Uint8Array<ArrayBuffer>])],
  ]);
}

/** A tiny Llama in memory. */
export function tinyFolder(changes: Readonly<Record<string, unknown>> = {}, edit?: EditTensor): ModelFolder {
  return filesFolder(tinyFiles(changes, edit), "tiny");
}

/** Tokens below `vocabulary` that repeat for a seed. */
export function randomTokens(count: number, seed = 1, vocabulary: number = TINY.vocab_size): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.integer(vocabulary));
}
