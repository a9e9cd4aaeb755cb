// What a model will take in memory, from its configuration alone: before anything is downloaded or loaded.

import type { ModelConfig } from "../../loaders/index.ts";
import { bytesPerWeight, isQuantized, slotBytes, type CacheFormat, type MatrixFormat } from "../../kernels/index.ts";
import { families } from "./families/index.ts";
import { quantizedFormatOf } from "./weights.ts";

/** Counts of numbers, by how they are kept. */
export interface ParameterCount {
  /** in matrices, kept in the format of the matrices */
  readonly matrices: number;
  /** of those, in the token embedding and the head */
  readonly embeddings: number;
  /** norms, biases and learned positions, kept as f32 */
  readonly vectors: number;
  readonly total: number;
}

/** Bytes, as a device that stores `format` will count them. */
export interface Estimate {
  readonly parameters: ParameterCount;
  readonly weights: number;
  /** keys and values of one token, all layers */
  readonly cachePerToken: number;
  /** keys and values of `contextLength` tokens */
  readonly cache: number;
  readonly contextLength: number;
}

/** A model's parameters by its configuration; tied matrices count once. */
export function countParameters(config: ModelConfig): ParameterCount {
  const { dim, heads, kvHeads, headDim, hiddenDim, vocabSize, layers, contextLength, anchors } = config;
  const family = families[config.modelType];
  const qkvRows = (heads + 2 * kvHeads) * headDim;
  const normSize = dim * (family.norm === "layer" ? 2 : 1);
  const { layer } = family;
  const norms = [layer.attentionNorm, layer.mlpNorm, layer.postAttentionNorm, layer.postMlpNorm].filter(Boolean).length;
  const layerMatrices = qkvRows * dim + dim * heads * headDim + hiddenDim * dim * (layer.gate ? 3 : 2);
  const layerVectors =
    norms * normSize +
    (config.qkvBias ? qkvRows : 0) +
    (config.outputBias ? dim : 0) +
    (config.mlpBias ? hiddenDim * (layer.gate ? 2 : 1) + dim : 0) +
    (config.qkNorm ? 2 * headDim : 0);
  const embeddings = vocabSize * dim * (config.tiedEmbeddings ? 1 : 2);
  const matrices = embeddings + layers * layerMatrices;
  const vectors =
    normSize +
    layers * layerVectors +
    (family.positions ? contextLength * dim : 0) +
    (family.hasHeadBias ? vocabSize : 0) +
    (anchors?.layerMap.size ?? 0) * heads;
  return { matrices, embeddings, vectors, total: matrices + vectors };
}

/**
 * Memory for weights kept as `format` (with int4, embedding and head as int8), and for the cache of `contextLength` tokens (the
 * model's limit by default) whose numbers are kept as `cacheType`.
 */
export function estimate(
  config: ModelConfig,
  format: MatrixFormat,
  contextLength = config.contextLength,
  cacheType: CacheFormat = "f32",
): Estimate {
  const parameters = countParameters(config);
  const { matrices, embeddings, vectors } = parameters;
  const outer = (isQuantized(format) ? quantizedFormatOf(format, true) : undefined) ?? format;
  const matrixBytes = (matrices - embeddings) * bytesPerWeight(format) + embeddings * bytesPerWeight(outer);
  const { layers, kvHeads, headDim } = config;
  const cachePerToken = layers * slotBytes({ format: cacheType, headDim }, kvHeads);
  return {
    parameters,
    weights: matrixBytes + vectors * Float32Array.BYTES_PER_ELEMENT,
    cachePerToken,
    cache: cachePerToken * contextLength,
    contextLength,
  };
}
