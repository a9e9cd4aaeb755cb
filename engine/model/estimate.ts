// Estimates a model's memory from its configuration alone, before anything is downloaded or loaded.

import type { ModelConfig } from "../../loaders/index.ts";
import { isQuantized, slotBytes, storedByteLength, type CacheFormat, type MatrixFormat } from "../../kernels/index.ts";
import { isOuter, weightsOf, type WeightSpec } from "./weight-list.ts";
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
  let [matrices, embeddings, vectors] = [0, 0, 0];
  for (const spec of weightsOf(config)) {
    const numbers = spec.kind === "matrix" ? spec.rows * spec.columns : spec.length;
    if (spec.kind === "vector") vectors += numbers;
    else matrices += numbers;
    if (spec.kind === "matrix" && isOuter(spec)) embeddings += numbers;
  }
  return { matrices, embeddings, vectors, total: matrices + vectors };
}

/** Bytes of one weight whose matrices are kept as `format`, as a device counts them but for the padding of its panels. */
function byteLengthOf(spec: WeightSpec, format: MatrixFormat): number {
  if (spec.kind === "vector") return spec.deviceLength * Float32Array.BYTES_PER_ELEMENT;
  const own = (isQuantized(format) ? quantizedFormatOf(format, isOuter(spec)) : undefined) ?? format;
  return storedByteLength(own, spec.rows, spec.columns);
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
  const { layers, kvHeads, headDim } = config;
  const cachePerToken = layers * slotBytes({ format: cacheType, headDim }, kvHeads);
  return {
    parameters: countParameters(config),
    weights: weightsOf(config).reduce((sum, spec) => sum + byteLengthOf(spec, format), 0),
    cachePerToken,
    cache: cachePerToken * contextLength,
    contextLength,
  };
}
