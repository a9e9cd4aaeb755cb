// A checkpoint's tensors -> the weights of the forward pass, on the device: matrices packed as it wants them, norms and biases
// as f32. The family says what each tensor is called; every shape is checked before anything is read.

import { isQuantized, storedByteLength, type QuantizedFormat } from "../../kernels/index.ts";
import { FormatError, quantizationOf, type ModelConfig, type Checkpoint } from "../../loaders/index.ts";
import type { Device, Matrix, Tensor } from "../devices/device.ts";
import { CheckpointReader, type WeightSource } from "./checkpoint-reader.ts";
import { families, type Family } from "./families/index.ts";

export interface NormWeights {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}
export interface LinearWeights {
  readonly weight: Matrix;
  readonly bias: Tensor | undefined;
}
export interface LayerWeights {
  readonly attentionNorm: NormWeights;
  /** [(heads + 2 kvHeads) headDim, dim]: rows of q, then k, then v */
  readonly qkv: LinearWeights;
  readonly qNorm: Tensor | undefined;
  readonly kNorm: Tensor | undefined;
  readonly out: LinearWeights;
  readonly postAttentionNorm: NormWeights | undefined;
  readonly mlpNorm: NormWeights | undefined;
  readonly gate: LinearWeights | undefined;
  readonly up: LinearWeights;
  readonly down: LinearWeights;
  readonly postMlpNorm: NormWeights | undefined;
  /** [heads, 2] for `attend`: (anchor bias, 1) where this layer reads another layer's anchors */
  readonly headParams: Tensor | undefined;
}
export interface ModelWeights {
  readonly embedding: Matrix;
  /** learned positions [contextLength, dim] */
  readonly positions: Tensor | undefined;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: NormWeights;
  /** the embedding itself where the two are tied */
  readonly head: LinearWeights;
  /** everything that was put on the device */
  readonly all: readonly (Tensor | Matrix)[];
}

/** What weights are put on: a device, or what stands for one while the tensors of a checkpoint are listed. */
export type WeightHost = Pick<Device, "createTensor" | "write" | "destroy"> & {
  createMatrix(source: WeightSource, signal?: AbortSignal): Promise<Matrix>;
};

/** Tensors loaded so far, by bytes of the checkpoint. */
export type WeightProgress = (loadedBytes: number, totalBytes: number, tensor: string) => void;

/**
 * What a matrix is quantized to, undefined for as stored. The embedding and the head, where an error is made for every token
 * and in every logit, are kept as int8 when the rest is int4.
 */
export function quantizedFormatOf(
  quantize: QuantizedFormat | undefined,
  isEmbeddingOrHead: boolean,
): QuantizedFormat | undefined {
  return quantize === "int4" && isEmbeddingOrHead ? "int8" : quantize;
}

/** The prefix under which the checkpoint keeps the base model. */
function findPrefix(checkpoint: Checkpoint, family: Family, file: string): string {
  const names = family.prefixes.map((prefix) => `${prefix}${family.embedding}.weight`);
  const index = names.findIndex((name) => checkpoint.tensors.has(name));
  if (index >= 0) return family.prefixes[index]!;
  throw new FormatError(file, `has no token embedding: looked for ${names.map((name) => `"${name}"`).join(" and ")}`);
}

/** Layers that are loaded at the same time: so that files are read while the device packs what came before. */
const LAYERS_AT_ONCE = 4;

/** Makes 0..count, a few at a time. Where one fails, it waits for those under way: nobody may still be reading then. */
async function inOrder<T>(count: number, atOnce: number, make: (i: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  let next = 0;
  let hasFailed = false;
  const work = async () => {
    while (next < count && !hasFailed) {
      const i = next++;
      try {
        made[i] = await make(i);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(atOnce, count) }, work));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return made;
}

/** Puts a model's weights on the device. Throws a FormatError for tensors that are missing or of another shape. */
export async function loadWeights(
  device: WeightHost,
  checkpoint: Checkpoint,
  config: ModelConfig,
  options: {
    file: string;
    quantize?: QuantizedFormat | undefined;
    onProgress?: WeightProgress | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<{ weights: ModelWeights; unused: string[]; used: ReadonlySet<string> }> {
  const { file, quantize, signal, onProgress } = options;
  const family = families[config.modelType];
  const prefix = findPrefix(checkpoint, family, file);
  const reader = new CheckpointReader(checkpoint, file, quantizationOf(checkpoint) !== null);
  const made: (Tensor | Matrix)[] = [];
  let loadedBytes = 0;

  const progress = (label: string, bytes: number) => {
    loadedBytes += bytes;
    signal?.throwIfAborted();
    onProgress?.(loadedBytes, checkpoint.totalByteLength, label);
  };
  const tensor = async (
    label: string,
    name: string,
    shape: readonly number[],
    edit?: (v: Float32Array) => Float32Array,
  ) => {
    const values = await reader.vector(name, shape, signal);
    const data = edit ? edit(values) : values;
    const held = device.createTensor(label, "f32", data.length, "weights");
    made.push(held);
    device.write({ tensor: held, data });
    progress(label, checkpoint.tensors.get(name)!.byteLength);
    return held;
  };
  const matrix = async (source: WeightSource, isEmbeddingOrHead = false) => {
    const format = isQuantized(source.format) ? undefined : quantizedFormatOf(quantize, isEmbeddingOrHead);
    const held = await device.createMatrix(format ? { ...source, quantize: format } : source, signal);
    made.push(held);
    progress(source.label, storedByteLength(source.format, source.rows, source.columns));
    return held;
  };
  const norm = async (label: string, name: string, size: number): Promise<NormWeights> => ({
    weight: await tensor(`${label}.weight`, `${name}.weight`, [size]),
    bias: family.norm === "layer" ? await tensor(`${label}.bias`, `${name}.bias`, [size]) : undefined,
  });
  const linear = async (label: string, name: string, rows: number, columns: number, hasBias: boolean) => {
    const weight = `${name}.weight`;
    const source = reader.isTurned(family, weight)
      ? reader.transposed(label, weight, rows, columns)
      : reader.rows(label, [{ name: weight, rows }], columns);
    return {
      weight: await matrix(source),
      bias: hasBias ? await tensor(`${label}.bias`, `${name}.bias`, [rows]) : undefined,
    };
  };

  const { dim, heads, kvHeads, headDim, hiddenDim, vocabSize } = config;
  const qkvRows = (heads + 2 * kvHeads) * headDim;

  const qkv = async (label: string, i: number): Promise<LinearWeights> => {
    const names = family.layer.qkv;
    if ("fused" in names) {
      const name = prefix + names.fused.replace("{i}", String(i));
      const order = names.order(config);
      const source = reader.isTurned(family, `${name}.weight`)
        ? reader.transposed(label, `${name}.weight`, qkvRows, dim)
        : reader.rows(label, [{ name: `${name}.weight`, rows: qkvRows, runs: order }], dim);
      const reorder = (values: Float32Array) =>
        Float32Array.from(order.flatMap(({ begin, count }) => [...values.subarray(begin, begin + count)]));
      return {
        weight: await matrix(source),
        bias: config.qkvBias ? await tensor(`${label}.bias`, `${name}.bias`, [qkvRows], reorder) : undefined,
      };
    }
    const parts = [names.q, names.k, names.v].map((part, which) => ({
      name: prefix + part.replace("{i}", String(i)),
      rows: (which === 0 ? heads : kvHeads) * headDim,
    }));
    const source = reader.rows(
      label,
      parts.map(({ name, rows }) => ({ name: `${name}.weight`, rows })),
      dim,
    );
    const weight = await matrix(source);
    if (!config.qkvBias) return { weight, bias: undefined };
    const values = new Float32Array(qkvRows);
    let at = 0;
    for (const { name, rows } of parts) {
      values.set(await reader.vector(`${name}.bias`, [rows], signal), at);
      at += rows;
    }
    const bias = device.createTensor(`${label}.bias`, "f32", qkvRows, "weights");
    made.push(bias);
    device.write({ tensor: bias, data: values });
    return { weight, bias };
  };

  const layer = async (i: number): Promise<LayerWeights> => {
    const at = `blocks.${i}`;
    const name = (module: string) => prefix + module.replace("{i}", String(i));
    const { layer: names } = family;
    const optionalNorm = (label: string, module: string | undefined) =>
      module === undefined ? Promise.resolve(undefined) : norm(`${at}.${label}`, name(module), dim);
    const headNorm = (label: string, module: string | undefined) =>
      module !== undefined && config.qkNorm
        ? tensor(`${at}.attn.${label}`, `${name(module)}.weight`, [headDim])
        : Promise.resolve(undefined);
    const anchored = config.anchors?.layerMap.has(i)
      ? await tensor(`${at}.attn.anchor_bias`, name("layers.{i}.self_attn.anchor_bias"), [heads], (bias) =>
          Float32Array.from({ length: heads * 2 }, (_, j) => (j % 2 === 0 ? bias[j / 2]! : 1)),
        )
      : undefined;
    return {
      attentionNorm: await norm(`${at}.ln1`, name(names.attentionNorm), dim),
      qkv: await qkv(`${at}.attn.qkv`, i),
      qNorm: await headNorm("q_norm", names.qNorm),
      kNorm: await headNorm("k_norm", names.kNorm),
      out: await linear(`${at}.attn.out`, name(names.out), dim, heads * headDim, config.outputBias),
      postAttentionNorm: await optionalNorm("ln1_post", names.postAttentionNorm),
      mlpNorm: await optionalNorm("ln2", names.mlpNorm),
      gate: names.gate ? await linear(`${at}.mlp.gate`, name(names.gate), hiddenDim, dim, config.mlpBias) : undefined,
      up: await linear(`${at}.mlp.up`, name(names.up), hiddenDim, dim, config.mlpBias),
      down: await linear(`${at}.mlp.down`, name(names.down), dim, hiddenDim, config.mlpBias),
      postMlpNorm: await optionalNorm("ln2_post", names.postMlpNorm),
      headParams: anchored,
    };
  };

  try {
    const embeddingName = `${prefix}${family.embedding}.weight`;
    const embedding = await matrix(reader.rows("embed", [{ name: embeddingName, rows: vocabSize }], dim), true);
    const positions = family.positions
      ? await tensor("positions", `${prefix}${family.positions}.weight`, [config.contextLength, dim])
      : undefined;
    const layers = await inOrder(config.layers, LAYERS_AT_ONCE, layer);
    const finalNorm = await norm("ln_final", prefix + family.finalNorm, dim);
    const headName = `${family.head}.weight`;
    const head = config.tiedEmbeddings
      ? embedding
      : await matrix(reader.rows("head", [{ name: headName, rows: vocabSize }], dim), true);
    const bias = family.hasHeadBias ? await tensor("head.bias", `${family.head}.bias`, [vocabSize]) : undefined;
    const spare = config.tiedEmbeddings ? headName : undefined;
    const unused = [...checkpoint.tensors.keys()].filter(
      (name) => !reader.used.has(name) && name !== spare && !family.ignored?.test(name),
    );
    const weights = { embedding, positions, layers, finalNorm, head: { weight: head, bias }, all: made };
    return { weights, unused, used: reader.used };
  } catch (error) {
    for (const thing of made) device.destroy(thing);
    throw error;
  }
}
