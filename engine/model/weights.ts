// Loads a checkpoint's tensors onto a device as the weights of the forward pass: matrices in the device's packing, norms and biases as
// f32. The list of weights (weight-list.ts) defines what is loaded. All weights are found in the checkpoint and their shapes are
// checked before anything is read.

import { isQuantized, storedByteLength, type QuantizedFormat } from "../../kernels/index.ts";
import { FormatError, quantizationOf, type ModelConfig, type Checkpoint } from "../../loaders/index.ts";
import type { Device, Matrix, MatrixSource, Tensor } from "../devices/device.ts";
import { CheckpointReader, type VectorSource } from "./checkpoint-reader.ts";
import { families } from "./families/index.ts";
import {
  embeddingName,
  headName,
  isOuter,
  weightsOf,
  type MatrixSpec,
  type VectorSpec,
  type WeightNames,
  type WeightSpec,
} from "./weight-list.ts";

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
  readonly headBiases: Tensor | undefined;
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

/**
 * How a checkpoint names the embedding, and what stands before the base model's names. Of a model whose head is the embedding,
 * the file may have either. Throws a FormatError where there is neither.
 */
export function namesIn(checkpoint: Checkpoint, config: ModelConfig, file: string): Required<WeightNames> {
  const family = families[config.modelType];
  const { tensors } = checkpoint;
  for (const prefix of family.prefixes) {
    const embedding = embeddingName(family, prefix);
    if (tensors.has(embedding)) return { prefix, embedding };
  }
  const head = headName(family);
  const prefix = family.prefixes.find((start) => tensors.has(`${start}${family.finalNorm}.weight`));
  if (config.tiedEmbeddings && tensors.has(head) && prefix !== undefined) return { prefix, embedding: head };
  const names = family.prefixes.map((start) => `"${embeddingName(family, start)}"`).join(" and ");
  throw new FormatError(file, `has no token embedding: looked for ${names}`);
}

/** Weights that are loaded at the same time: so that files are read while the device packs what came before. */
const WEIGHTS_AT_ONCE = 4;

/** Works on items in order, a few at a time. Where one fails, it waits for those under way: nobody may still be reading then. */
async function inOrder<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let hasFailed = false;
  const workOn = async () => {
    while (next < items.length && !hasFailed) {
      try {
        await work(items[next++]!);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, workOn));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

/** A weight that was found in the checkpoint, of the right shape, and not yet read. */
export type FoundWeight =
  | { readonly kind: "matrix"; readonly spec: MatrixSpec; readonly source: MatrixSource }
  | { readonly kind: "vector"; readonly spec: VectorSpec; readonly source: VectorSource };

/** A model's weights as a checkpoint has them. */
export interface FoundWeights {
  readonly weights: readonly FoundWeight[];
  /** true for a tensor that is part of the model, or of what its family leaves out */
  readonly isKnown: (name: string) => boolean;
}

/** How weights are found and kept. */
export interface WeightOptions {
  /** what messages call the checkpoint */
  readonly file: string;
  readonly quantize?: QuantizedFormat | undefined;
}

/**
 * Finds every weight of a model in a checkpoint and reads none.
 *
 * Throws a FormatError for tensors that are missing or of another shape, and an UnsupportedError for other types of numbers.
 */
export function findWeights(
  checkpoint: Checkpoint,
  config: ModelConfig,
  { file, quantize }: WeightOptions,
): FoundWeights {
  const reader = new CheckpointReader(checkpoint, file, quantizationOf(checkpoint) !== null);
  const weights = weightsOf(config, namesIn(checkpoint, config, file)).map((spec): FoundWeight => {
    if (spec.kind === "vector") return { kind: "vector", spec, source: reader.vector(spec) };
    const source = reader.matrix(spec.label, spec.tensors, { isFinite: quantize !== undefined });
    const format = isQuantized(source.format) ? undefined : quantizedFormatOf(quantize, isOuter(spec));
    return { kind: "matrix", spec, source: format ? { ...source, quantize: format } : source };
  });
  const family = families[config.modelType];
  const spare = config.tiedEmbeddings ? headName(family) : undefined;
  const isKnown = (name: string) => reader.used.has(name) || name === spare || family.ignored?.test(name) === true;
  return { weights, isKnown };
}

/** Names that are looked at between two pauses. */
const NAMES_PER_PAUSE = 8192;

/** Names of tensors that are no part of the model. A checkpoint may have a million of them. */
export async function unusedTensors(
  { tensors }: Checkpoint,
  { isKnown }: Pick<FoundWeights, "isKnown">,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const unused: string[] = [];
  let count = 0;
  for (const name of tensors.keys()) {
    if (!isKnown(name)) unused.push(name);
    if (++count % NAMES_PER_PAUSE > 0) continue;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
  }
  return unused;
}

/** Weights that were put somewhere, by role, until all are there. */
export class PlacedWeights {
  readonly #matrices = new Map<string, Matrix>();
  readonly #vectors = new Map<string, Tensor>();

  addMatrix(spec: MatrixSpec, matrix: Matrix): void {
    this.#matrices.set(keyOf(spec.role, spec.layer, spec.part), matrix);
  }

  addVector(spec: VectorSpec, tensor: Tensor): void {
    this.#vectors.set(keyOf(spec.role, spec.layer, spec.part), tensor);
  }

  /** The weights as the forward pass calls them. All of the model's list must have been added. */
  assemble({ layers, tiedEmbeddings }: ModelConfig): ModelWeights {
    const embedding = present(this.#matrices.get(keyOf("embedding", null, "weight")), "embedding");
    return {
      embedding,
      positions: this.#vector("positions", null, "weight"),
      layers: Array.from({ length: layers }, (_, layer) => this.#layer(layer)),
      finalNorm: present(this.#norm("finalNorm", null), "finalNorm"),
      head: tiedEmbeddings
        ? { weight: embedding, bias: this.#vector("head", null, "bias") }
        : present(this.#linear("head", null), "head"),
      all: [...this.#matrices.values(), ...this.#vectors.values()],
    };
  }

  #layer(layer: number): LayerWeights {
    return {
      attentionNorm: present(this.#norm("attentionNorm", layer), "attentionNorm"),
      qkv: present(this.#linear("qkv", layer), "qkv"),
      qNorm: this.#vector("qNorm", layer, "weight"),
      kNorm: this.#vector("kNorm", layer, "weight"),
      out: present(this.#linear("out", layer), "out"),
      postAttentionNorm: this.#norm("postAttentionNorm", layer),
      mlpNorm: this.#norm("mlpNorm", layer),
      gate: this.#linear("gate", layer),
      up: present(this.#linear("up", layer), "up"),
      down: present(this.#linear("down", layer), "down"),
      postMlpNorm: this.#norm("postMlpNorm", layer),
      headBiases: this.#vector("anchorBias", layer, "weight"),
    };
  }

  #vector(role: WeightSpec["role"], layer: number | null, part: WeightSpec["part"]): Tensor | undefined {
    return this.#vectors.get(keyOf(role, layer, part));
  }

  #norm(role: WeightSpec["role"], layer: number | null): NormWeights | undefined {
    const weight = this.#vector(role, layer, "weight");
    return weight && { weight, bias: this.#vector(role, layer, "bias") };
  }

  #linear(role: WeightSpec["role"], layer: number | null): LinearWeights | undefined {
    const weight = this.#matrices.get(keyOf(role, layer, "weight"));
    return weight && { weight, bias: this.#vector(role, layer, "bias") };
  }
}

function keyOf(role: WeightSpec["role"], layer: number | null, part: WeightSpec["part"]): string {
  return `${layer ?? ""}.${role}.${part}`;
}

function present<T>(weight: T | undefined, role: WeightSpec["role"]): T {
  if (weight === undefined) throw new Error(`the weight "${role}" was not placed`);
  return weight;
}

/** [heads] -> [heads, 2]: the bias of each head, and 1, by which the attention to anchors is multiplied. */
function biasesAndScales(biases: Float32Array): Float32Array {
  return Float32Array.from({ length: 2 * biases.length }, (_, i) => (i % 2 === 0 ? biases[i / 2]! : 1));
}

/** Weights in the order of their files, which is read from its beginning to its end: a download needs no more than a few parts at a time. */
function inFileOrder(weights: readonly FoundWeight[], { files, tensors }: Checkpoint): readonly FoundWeight[] {
  const places = new Map(
    weights.map((weight) => {
      const { file, begin } = tensors.get(weight.spec.tensors[0]!.name)!;
      return [weight, { file: files.indexOf(file), begin }] as const;
    }),
  );
  const compare = (a: FoundWeight, b: FoundWeight): number => {
    const [x, y] = [places.get(a)!, places.get(b)!];
    return x.file - y.file || x.begin - y.begin;
  };
  return [...weights].sort(compare);
}

/** Puts a model's weights on the device. Throws as {@link findWeights} does, before anything is read. */
export async function loadWeights(
  device: Pick<Device, "createTensor" | "createMatrix" | "write" | "destroy">,
  checkpoint: Checkpoint,
  config: ModelConfig,
  options: WeightOptions & {
    readonly onProgress?: WeightProgress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ weights: ModelWeights; unused: readonly string[] }> {
  const { signal, onProgress } = options;
  const { weights: found, isKnown } = findWeights(checkpoint, config, options);
  const unused = await unusedTensors(checkpoint, { isKnown }, signal);
  const placed = new PlacedWeights();
  const made: (Tensor | Matrix)[] = [];
  let loadedBytes = 0;

  const placeMatrix = async (spec: MatrixSpec, source: MatrixSource) => {
    const matrix = await device.createMatrix(source, signal);
    made.push(matrix);
    placed.addMatrix(spec, matrix);
    return storedByteLength(source.format, source.rows, source.columns);
  };
  const placeVector = async (spec: VectorSpec, source: VectorSource) => {
    const values = await source.read(signal);
    const data = spec.role === "anchorBias" ? biasesAndScales(values) : values;
    const tensor = device.createTensor(spec.label, "f32", data.length, "weights");
    made.push(tensor);
    device.write({ tensor, data });
    placed.addVector(spec, tensor);
    return spec.tensors.reduce((sum, { name }) => sum + checkpoint.tensors.get(name)!.byteLength, 0);
  };
  const place = async (weight: FoundWeight) => {
    const byteLength =
      weight.kind === "matrix"
        ? await placeMatrix(weight.spec, weight.source)
        : await placeVector(weight.spec, weight.source);
    loadedBytes += byteLength;
    signal?.throwIfAborted();
    onProgress?.(loadedBytes, checkpoint.totalByteLength, weight.spec.label);
  };

  try {
    await inOrder(inFileOrder(found, checkpoint), WEIGHTS_AT_ONCE, place);
    return { weights: placed.assemble(config), unused };
  } catch (error) {
    for (const thing of made) device.destroy(thing);
    throw error;
  }
}
