// The weights that a model has, from its configuration alone: the one list that loading, estimating, quantizing and the dry run
// work from. A weight is a matrix, which a device packs, or a vector, which is kept as f32. Names are those of the checkpoint,
// labels those of the device's tensors. Rows of a matrix are outputs and columns inputs, however the file stores it.

import type { ModelConfig } from "../../loaders/index.ts";
import { families, type Family, type RowRun } from "./families/index.ts";

/** The part a weight plays in the whole model. */
export type ModelRole = "embedding" | "positions" | "finalNorm" | "head";
/** The part a weight plays in a layer. */
export type LayerRole =
  | "attentionNorm"
  | "qkv"
  | "qNorm"
  | "kNorm"
  | "anchorBias"
  | "out"
  | "postAttentionNorm"
  | "mlpNorm"
  | "gate"
  | "up"
  | "down"
  | "postMlpNorm";

/** The fields that both kinds of weights have. */
interface WeightPlace {
  readonly role: ModelRole | LayerRole;
  /** null for a weight of the whole model */
  readonly layer: number | null;
  /** what the device calls it, such as "blocks.0.attn.qkv" */
  readonly label: string;
}

/** A tensor of the checkpoint that is a matrix, or part of one. */
export interface MatrixTensor {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** floats are stored [columns, rows]; a matrix that is quantized already never is */
  readonly isTransposed: boolean;
  /** the rows in the order in which they are wanted; all of them as they are by default */
  readonly runs?: readonly RowRun[] | undefined;
}

/** A matrix [rows, columns]: the rows of its tensors, one tensor after the other. */
export interface MatrixSpec extends WeightPlace {
  readonly kind: "matrix";
  readonly part: "weight";
  readonly rows: number;
  readonly columns: number;
  readonly tensors: readonly MatrixTensor[];
}

/** Numbers kept as f32 (norms, biases, learned positions): its tensors, one after the other. */
export interface VectorSpec extends WeightPlace {
  readonly kind: "vector";
  readonly part: "weight" | "bias";
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** numbers in the checkpoint */
  readonly length: number;
  /** numbers on the device: `length`, but [heads, 2] of `anchorBias`, where each bias is followed by a scale of 1 */
  readonly deviceLength: number;
  /** the numbers in the order in which they are wanted; as they are by default */
  readonly runs?: readonly RowRun[] | undefined;
}

/** One weight of a model. */
export type WeightSpec = MatrixSpec | VectorSpec;

/** How a checkpoint names what checkpoints of one family name differently. */
export interface WeightNames {
  /** what stands before the base model's names; the family's first prefix by default */
  readonly prefix?: string;
  /** the tensor of the embedding, prefix included; the family's name for it by default */
  readonly embedding?: string;
}

/** The name of the embedding's tensor in a checkpoint with this prefix. */
export function embeddingName({ embedding }: Family, prefix: string): string {
  return `${prefix}${embedding}.weight`;
}

/** The name of the head's tensor. */
export function headName({ head }: Family): string {
  return `${head}.weight`;
}

/** Whether a matrix is the embedding or the head, which int4 keeps as int8. */
export function isOuter({ role }: Pick<WeightSpec, "role">): boolean {
  return role === "embedding" || role === "head";
}

/** The inputs of the list. */
interface ListContext {
  readonly config: ModelConfig;
  readonly family: Family;
  readonly prefix: string;
}

/**
 * All weights of a model, in the order of the forward pass. A head that is the embedding is not listed. Pure: which of them a
 * checkpoint has, and in what format, is for loading to find out.
 */
export function weightsOf(config: ModelConfig, names: WeightNames = {}): readonly WeightSpec[] {
  const family = families[config.modelType];
  const { dim, vocabSize, contextLength, layers, tiedEmbeddings } = config;
  const { prefix = family.prefixes[0]! } = names;
  const context = { config, family, prefix };
  const embedding = { name: names.embedding ?? embeddingName(family, prefix), rows: vocabSize, columns: dim };
  const list: WeightSpec[] = [matrix(whole("embedding", "embed"), [{ ...embedding, isTransposed: false }])];
  if (family.positions) {
    const tensor = { name: `${prefix}${family.positions}.weight`, shape: [contextLength, dim] };
    list.push(vector(whole("positions", "positions"), "weight", [tensor]));
  }
  for (let i = 0; i < layers; i++) list.push(...layerWeights(context, i));
  list.push(...norm(family, whole("finalNorm", "ln_final"), prefix + family.finalNorm, dim));
  if (!tiedEmbeddings) {
    const head = { name: headName(family), rows: vocabSize, columns: dim, isTransposed: false };
    list.push(matrix(whole("head", "head"), [head]));
  }
  if (family.hasHeadBias) {
    const tensor = { name: `${family.head}.bias`, shape: [vocabSize] };
    list.push(vector(whole("head", "head.bias"), "bias", [tensor]));
  }
  return list;
}

/** A place in the whole model. */
function whole(role: ModelRole, label: string): WeightPlace {
  return { role, layer: null, label };
}

function layerWeights({ config, family, prefix }: ListContext, layer: number): WeightSpec[] {
  const { dim, heads, headDim, hiddenDim, outputBias, mlpBias, qkNorm, anchors } = config;
  const { layer: names, isTransposed } = family;
  const place = (role: LayerRole, label: string) => ({ role, layer, label: `blocks.${layer}.${label}` });
  const full = (module: string) => prefix + module.replace("{i}", String(layer));
  const norms = (role: LayerRole, label: string, module: string | undefined) =>
    module === undefined ? [] : norm(family, place(role, label), full(module), dim);
  const headNorm = (role: LayerRole, label: string, module: string | undefined) =>
    module !== undefined && qkNorm
      ? [vector(place(role, label), "weight", [{ name: `${full(module)}.weight`, shape: [headDim] }])]
      : [];
  const projection = (role: LayerRole, label: string, module: string | undefined, shape: Shape, hasBias: boolean) =>
    module === undefined ? [] : linear(place(role, label), full(module), { ...shape, isTransposed }, hasBias);
  const anchorBias = { name: full("layers.{i}.self_attn.anchor_bias"), shape: [heads] };
  const inner = { rows: hiddenDim, columns: dim };
  return [
    ...norms("attentionNorm", "ln1", names.attentionNorm),
    ...qkv({ config, family, prefix }, place("qkv", "attn.qkv"), full),
    ...headNorm("qNorm", "attn.q_norm", names.qNorm),
    ...headNorm("kNorm", "attn.k_norm", names.kNorm),
    ...(anchors?.layerMap.has(layer)
      ? [{ ...vector(place("anchorBias", "attn.anchor_bias"), "weight", [anchorBias]), deviceLength: 2 * heads }]
      : []),
    ...projection("out", "attn.out", names.out, { rows: dim, columns: heads * headDim }, outputBias),
    ...norms("postAttentionNorm", "ln1_post", names.postAttentionNorm),
    ...norms("mlpNorm", "ln2", names.mlpNorm),
    ...projection("gate", "mlp.gate", names.gate, inner, mlpBias),
    ...projection("up", "mlp.up", names.up, inner, mlpBias),
    ...projection("down", "mlp.down", names.down, { rows: dim, columns: hiddenDim }, mlpBias),
    ...norms("postMlpNorm", "ln2_post", names.postMlpNorm),
  ];
}

/** [(heads + 2 kvHeads) headDim, dim]: rows of q, then k, then v, from three tensors or from one whose rows are reordered. */
function qkv({ config, family }: ListContext, place: WeightPlace, full: (module: string) => string): WeightSpec[] {
  const { dim, heads, kvHeads, headDim, qkvBias } = config;
  const { qkv: names } = family.layer;
  const { isTransposed } = family;
  const rows = (heads + 2 * kvHeads) * headDim;
  const parts =
    "fused" in names
      ? [{ name: full(names.fused), rows, runs: names.order(config) }]
      : [
          { name: full(names.q), rows: heads * headDim },
          { name: full(names.k), rows: kvHeads * headDim },
          { name: full(names.v), rows: kvHeads * headDim },
        ];
  const weight = matrix(
    place,
    parts.map((part) => ({ ...part, name: `${part.name}.weight`, columns: dim, isTransposed })),
  );
  if (!qkvBias) return [weight];
  const bias = vector(
    { ...place, label: `${place.label}.bias` },
    "bias",
    parts.map((part) => ({ name: `${part.name}.bias`, shape: [part.rows] })),
  );
  return [weight, "fused" in names ? { ...bias, runs: names.order(config) } : bias];
}

type Shape = Pick<MatrixTensor, "rows" | "columns">;

function linear(
  place: WeightPlace,
  name: string,
  tensor: Omit<MatrixTensor, "name">,
  hasBias: boolean,
): readonly WeightSpec[] {
  const weight = matrix(place, [{ ...tensor, name: `${name}.weight` }]);
  if (!hasBias) return [weight];
  const bias = { name: `${name}.bias`, shape: [tensor.rows] };
  return [weight, vector({ ...place, label: `${place.label}.bias` }, "bias", [bias])];
}

function norm({ norm: kind }: Family, place: WeightPlace, name: string, size: number): WeightSpec[] {
  const parts = kind === "layer" ? (["weight", "bias"] as const) : (["weight"] as const);
  return parts.map((part) =>
    vector({ ...place, label: `${place.label}.${part}` }, part, [{ name: `${name}.${part}`, shape: [size] }]),
  );
}

function matrix(place: WeightPlace, tensors: readonly MatrixTensor[]): MatrixSpec {
  const rows = tensors.reduce((sum, tensor) => sum + tensor.rows, 0);
  return { ...place, kind: "matrix", part: "weight", rows, columns: tensors[0]!.columns, tensors };
}

function vector(place: WeightPlace, part: VectorSpec["part"], tensors: VectorSpec["tensors"]): VectorSpec {
  const length = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return { ...place, kind: "vector", part, tensors, length, deviceLength: length };
}
