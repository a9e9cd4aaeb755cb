// A Llama decoder as an ONNX model, with the operators and names that Hugging Face's exports for the browser have: rotary
// embedding and cache inside GroupQueryAttention, norms fused with their residual. Queries, keys and values are one matrix,
// and only the last position's logits are made: both make it faster.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md

import { inverseFrequencies, UnsupportedError, type ModelConfig } from "kedge/loaders";
import { MICROSOFT, OnnxGraph } from "./graph.ts";
import type { Message } from "./protobuf.ts";
import { addLinear, type OnnxFormat } from "./weights.ts";

/** Gives the f32 values of a tensor, by its name in the Hugging Face file. */
export type ReadValues = (name: string) => Promise<Float32Array>;

/** How the model is written. */
export interface LlamaOptions {
  readonly format: OnnxFormat;
  /** most positions of a sequence */
  readonly positions: number;
}

function checked(config: ModelConfig): NonNullable<ModelConfig["rotary"]> {
  const { modelType, rotary, qkvBias, activation } = config;
  if (modelType !== "llama" || rotary?.kind !== "default" || qkvBias || activation !== "silu")
    throw new UnsupportedError(`only plain llama models are written as ONNX: this is ${modelType}, ${activation}`);
  return rotary;
}

/** Adds the rotary tables [positions, headDim / 2]. */
function addRotaryTables(graph: OnnxGraph, rotary: NonNullable<ModelConfig["rotary"]>, positions: number): void {
  const frequencies = inverseFrequencies(rotary);
  const half = frequencies.length;
  for (const [name, table] of [
    ["cos", Math.cos],
    ["sin", Math.sin],
  ] as const) {
    const values = Float32Array.from({ length: positions * half }, (_, i) =>
      table(Math.floor(i / half) * frequencies[i % half]!),
    );
    graph.tensor(name, "f32", [positions, half], values);
  }
}

/** Adds what GroupQueryAttention wants to know of lengths, from the attention mask [batch, total]. */
function addLengths(graph: OnnxGraph): void {
  graph.tensor("one", "i64", [1], BigInt64Array.of(1n));
  graph.tensor("axis", "i64", [], BigInt64Array.of(1n));
  graph.node("ReduceSum", ["attention_mask", "one"], ["length"], { attributes: { keepdims: 0 } });
  graph.node("Sub", ["length", "one"], ["lastPosition"]);
  graph.node("Cast", ["lastPosition"], ["lastPositions"], { attributes: { to: 6 } });
  graph.node("Shape", ["attention_mask"], ["maskShape"]);
  graph.node("Gather", ["maskShape", "axis"], ["total"], { attributes: { axis: 0 } });
  graph.node("Cast", ["total"], ["totalLength"], { attributes: { to: 6 } });
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Makes the ONNX model of a decoder: input_ids, attention_mask and the cache in; logits and the cache out. */
export async function llamaModel(config: ModelConfig, read: ReadValues, options: LlamaOptions): Promise<Message> {
  const rotary = checked(config);
  const { dim, hiddenDim, heads, kvHeads, headDim, layers, vocabSize } = config;
  const { format, positions } = options;
  const graph = new OnnxGraph("decoder");
  const normAttributes = { epsilon: { float: config.normEpsilon } };
  const skipNorm = { domain: MICROSOFT, attributes: normAttributes };
  const cacheShape = (length: string) => ["batch_size", kvHeads, length, headDim] as const;

  graph.input("input_ids", "i64", ["batch_size", "sequence_length"]);
  graph.input("attention_mask", "i64", ["batch_size", "total_sequence_length"]);
  addLengths(graph);
  addRotaryTables(graph, rotary, positions);
  const table = await read("model.embed_tokens.weight");
  graph.tensor("embedding", "f32", [vocabSize, dim], table);
  let stream = graph.node("Gather", ["embedding", "input_ids"], ["embedded"], { attributes: { axis: 0 } });
  let update = "";

  /** The norm of stream + update; the sum becomes the stream. */
  const norm = async (name: string, weight: string): Promise<string> => {
    graph.tensor(`${name}.weight`, "f32", [dim], await read(weight));
    if (update === "") {
      const attributes = { ...normAttributes, axis: -1, stash_type: 1 };
      return graph.node("SimplifiedLayerNormalization", [stream, `${name}.weight`], [name], { attributes });
    }
    const inputs = [stream, update, `${name}.weight`];
    graph.node("SkipSimplifiedLayerNormalization", inputs, [name, "", "", `${name}.sum`], skipNorm);
    stream = `${name}.sum`;
    return name;
  };

  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}.`;
    const here = `layers.${layer}.`;
    const linear = async (name: string, input: string, sources: readonly string[], inputs: number) => {
      const values = concatenated(await Promise.all(sources.map((source) => read(`${at}${source}_proj.weight`))));
      return addLinear(graph, here + name, input, { values, inputs, outputs: values.length / inputs }, format);
    };
    const normed = await norm(`${here}norm1`, `${at}input_layernorm.weight`);
    const qkv = await linear("qkv", normed, ["self_attn.q", "self_attn.k", "self_attn.v"], dim);
    const past = ["key", "value"].map((kind) =>
      graph.input(`past_key_values.${layer}.${kind}`, "f32", cacheShape("past_sequence_length")),
    );
    const present = [`present.${layer}.key`, `present.${layer}.value`] as const;
    const attended = graph.node(
      "GroupQueryAttention",
      [qkv, "", "", ...past, "lastPositions", "totalLength", "cos", "sin"],
      [`${here}attended`, ...present],
      {
        domain: MICROSOFT,
        attributes: { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0 },
      },
    );
    for (const name of present) graph.output(name, "f32", cacheShape("total_sequence_length"));
    update = await linear("attention", attended, ["self_attn.o"], heads * headDim);
    const between = await norm(`${here}norm2`, `${at}post_attention_layernorm.weight`);
    const gate = await linear("gate", between, ["mlp.gate"], dim);
    const up = await linear("up", between, ["mlp.up"], dim);
    const sigmoid = graph.node("Sigmoid", [gate], [`${here}sigmoid`]);
    const silu = graph.node("Mul", [gate, sigmoid], [`${here}silu`]);
    const gated = graph.node("Mul", [silu, up], [`${here}gated`]);
    update = await linear("down", gated, ["mlp.down"], hiddenDim);
  }
  const last = await norm("norm", "model.norm.weight");
  graph.tensor("minusOne", "i64", [1], BigInt64Array.of(-1n));
  const position = graph.node("Gather", [last, "minusOne"], ["last"], { attributes: { axis: 1 } });
  const head = config.tiedEmbeddings ? table : await read("lm_head.weight");
  const weight = { values: head, inputs: dim, outputs: vocabSize };
  graph.output(addLinear(graph, "logits", position, weight, format), "f32", ["batch_size", 1, vocabSize]);
  return graph.message();
}
