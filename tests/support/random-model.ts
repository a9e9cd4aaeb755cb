// Small random models of every family, made on the spot: config.json says little, the list of weights says what tensors there are.
// Sizes are multiples of the devices' panels and groups, so that packed matrices have no padding.

import { filesFolder, parseConfig, writeSafetensors, type ModelFolder, type ModelType } from "kedge/loaders";
import { seededRandom } from "kedge/kernels";
import { weightsOf, type WeightSpec } from "../../engine/model/weight-list.ts";

type Json = Readonly<Record<string, unknown>>;
export type TensorValues = Map<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;

const LLAMA_NAMES = {
  vocab_size: 96,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
};
const GPT_NAMES = { vocab_size: 96, n_embd: 64, n_inner: 160, n_layer: 2, n_head: 4, n_positions: 128 };

/** A config.json of each model type. */
export const SMALL_CONFIGS: Readonly<Record<ModelType, Json>> = {
  llama: LLAMA_NAMES,
  mistral: { ...LLAMA_NAMES, sliding_window: 8 },
  qwen2: LLAMA_NAMES,
  qwen3: { ...LLAMA_NAMES, head_dim: 32 },
  gpt2: GPT_NAMES,
  gpt_bigcode: { ...GPT_NAMES, n_head: 2 },
  starcoder2: LLAMA_NAMES,
  codegen: { ...GPT_NAMES, rotary_dim: 8 },
  gpt_neox: { ...LLAMA_NAMES, num_key_value_heads: undefined },
  phi: { ...LLAMA_NAMES, num_key_value_heads: 4 },
  gemma2: { ...LLAMA_NAMES, head_dim: 16, sliding_window: 8 },
};

/** The config.json of a small model. */
export function smallConfig(modelType: ModelType, changes: Json = {}): Json {
  return JSON.parse(JSON.stringify({ model_type: modelType, ...SMALL_CONFIGS[modelType], ...changes })) as Json;
}

/** The tensors of a weight, with the shapes that a file of floats has them in. */
export function storedShapes(spec: WeightSpec): { readonly name: string; readonly shape: readonly number[] }[] {
  if (spec.kind === "vector") return [...spec.tensors];
  return spec.tensors.map(({ name, rows, columns, isTransposed }) => ({
    name,
    shape: isTransposed ? [columns, rows] : [rows, columns],
  }));
}

/** Random tensors for a config.json; norms are near 1. */
export function randomTensors(json: Json, seed = 3): TensorValues {
  const random = seededRandom(seed);
  const tensors: TensorValues = new Map();
  for (const spec of weightsOf(parseConfig(json))) {
    const center = spec.part === "weight" && spec.role.toLowerCase().includes("norm") ? 1 : 0;
    for (const { name, shape } of storedShapes(spec)) {
      const length = shape.reduce((product, size) => product * size, 1);
      tensors.set(name, { shape, values: Float32Array.from({ length }, () => center + random.normal() * 0.2) });
    }
  }
  return tensors;
}

/** A folder with a config.json and these tensors, as f32. */
export function folderOf(json: Json, tensors: TensorValues, name = "random"): ModelFolder {
  const list = [...tensors].map(([tensor, { shape, values }]) => ({
    name: tensor,
    dtype: "F32" as const,
    shape,
    values,
  }));
  return filesFolder(
    new Map([
      ["config.json", new Blob([JSON.stringify(json)])],
      ["model.safetensors", new Blob([writeSafetensors(list) as Uint8Array<ArrayBuffer>])],
    ]),
    name,
  );
}
