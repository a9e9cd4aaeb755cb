// The weights of a model by TransformerLens' names and in its shapes, gathered from the device: matrices multiply rows from the left, and
// heads have a dimension of their own. What a family scales or offsets when it loads is as the forward pass applies it: W_E[token] is
// `hook_embed`, and a norm's w multiplies. Names are those of an unprocessed TransformerLens model (from_pretrained_no_processing).

import { embed } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import type { Matrix, Tensor } from "../devices/device.ts";
import { ProgramBuilder, variable } from "../devices/program.ts";
import { nearestName } from "../options.ts";
import { CapturedTensor } from "./captured.ts";
import { families } from "./families/index.ts";
import { wholeRead } from "./step-inputs.ts";
import type { Steps } from "./steps.ts";
import type { LayerWeights, LinearWeights, ModelWeights, NormWeights } from "./weights.ts";

/** Where a named weight is: rows begin..end of a matrix, or numbers of a tensor. */
interface WeightPlace {
  readonly source: Matrix | Tensor | undefined;
  readonly begin?: number;
  readonly shape: readonly number[];
  /** rows of the matrix that become columns together; all of them by default */
  readonly block?: number;
  /** the matrix's rows stay rows */
  readonly isUpright?: boolean;
  readonly scale?: number;
  readonly offset?: number;
}

/** The places of the weights of one kind, by name. */
type Places = Readonly<Record<string, WeightPlace>>;

function norm(name: string, weights: NormWeights | undefined, { dim, modelType }: ModelConfig): Places {
  return {
    [`${name}.w`]: { source: weights?.weight, shape: [dim], offset: families[modelType].normWeightOffset },
    [`${name}.b`]: { source: weights?.bias, shape: [dim] },
  };
}

function attention({ qkv, out, qNorm, kNorm }: LayerWeights, config: ModelConfig): Places {
  const { heads, kvHeads, headDim, dim } = config;
  const projection = (name: string, first: number, count: number): Places => ({
    [`attn.W_${name}`]: {
      source: qkv.weight,
      begin: first * headDim,
      shape: [count, dim, headDim],
      block: headDim,
    },
    [`attn.b_${name}`]: { source: qkv.bias, begin: first * headDim, shape: [count, headDim] },
  });
  return {
    ...projection("Q", 0, heads),
    ...projection("K", heads, kvHeads),
    ...projection("V", heads + kvHeads, kvHeads),
    "attn.W_O": { source: out.weight, shape: [heads, headDim, dim] },
    "attn.b_O": { source: out.bias, shape: [dim] },
    "attn.q_norm.w": { source: qNorm, shape: [headDim] },
    "attn.k_norm.w": { source: kNorm, shape: [headDim] },
  };
}

function feedForward({ gate, up, down }: LayerWeights, { dim, hiddenDim }: ModelConfig): Places {
  const inner = (name: string, weights: LinearWeights | undefined): Places => ({
    [`mlp.W_${name}`]: { source: weights?.weight, shape: [dim, hiddenDim] },
    [`mlp.b_${name}`]: { source: weights?.bias, shape: [hiddenDim] },
  });
  return {
    ...inner("gate", gate),
    ...inner("in", up),
    "mlp.W_out": { source: down.weight, shape: [hiddenDim, dim] },
    "mlp.b_out": { source: down.bias, shape: [dim] },
  };
}

/** The named weights of a model. Those that its family lacks have no source. */
function placesOf(config: ModelConfig, weights: ModelWeights): Places {
  const { dim, vocabSize, contextLength, modelType } = config;
  const layers = weights.layers.map((layer, i) => {
    const own = {
      ...norm("ln1", layer.attentionNorm, config),
      ...attention(layer, config),
      ...norm("ln1_post", layer.postAttentionNorm, config),
      ...norm("ln2", layer.mlpNorm, config),
      ...feedForward(layer, config),
      ...norm("ln2_post", layer.postMlpNorm, config),
    };
    return Object.fromEntries(Object.entries(own).map(([name, place]) => [`blocks.${i}.${name}`, place]));
  });
  const scale = families[modelType].embeddingScale(config);
  return {
    "embed.W_E": { source: weights.embedding, shape: [vocabSize, dim], isUpright: true, scale },
    "pos_embed.W_pos": { source: weights.positions, shape: [contextLength, dim] },
    ...Object.assign({}, ...layers),
    ...norm("ln_final", weights.finalNorm, config),
    "unembed.W_U": { source: weights.head.weight, shape: [dim, vocabSize] },
    "unembed.b_U": { source: weights.head.bias, shape: [vocabSize] },
  };
}

/** TransformerLens' short names of the weights of the whole model. */
const SHORT: Readonly<Record<string, string>> = {
  W_E: "embed.W_E",
  W_pos: "pos_embed.W_pos",
  W_U: "unembed.W_U",
  b_U: "unembed.b_U",
};

/**
 * Reads a weight back from the device, dequantized, in f32. Throws a RangeError for a name that no weight has, with the nearest that one
 * has, and for a weight that this model lacks.
 */
export async function readWeight(steps: Steps, weights: ModelWeights, name: string): Promise<CapturedTensor> {
  const { config } = steps;
  const places = placesOf(config, weights);
  const full = Object.hasOwn(SHORT, name) ? SHORT[name]! : name;
  const place = Object.hasOwn(places, full) ? places[full]! : undefined;
  if (!place?.source) {
    const known = Object.keys(places).filter((one) => places[one]!.source !== undefined);
    if (place) {
      const part = full.slice(0, full.lastIndexOf(".") + 1);
      const own = known.filter((one) => one.startsWith(part)).map((one) => one.slice(part.length));
      const has = own.length > 0 ? `; ${part.slice(0, -1)} has ${own.join(", ")}` : "";
      throw new RangeError(`this ${config.modelType} model has no weight "${name}"${has}`);
    }
    const nearest = nearestName(name, [...known, ...Object.keys(SHORT)], 4);
    const hint =
      nearest === undefined ? `there are ${known.length}, such as "${known[1]}"` : `did you mean "${nearest}"?`;
    throw new RangeError(`no weight is called "${name}": ${hint}`);
  }
  const { source, shape, begin = 0, scale = 1, offset = 0 } = place;
  const length = shape.reduce((product, size) => product * size, 1);
  if (!("columns" in source)) {
    const numbers = (await steps.read({ tensor: source, begin, end: begin + length })) as Float32Array;
    return new CapturedTensor(shape, offset === 0 ? numbers : numbers.map((value) => value + offset));
  }
  const rows = await readRows(steps, source, { begin, end: begin + length / source.columns, scale });
  if (place.isUpright) return new CapturedTensor(shape, rows);
  return new CapturedTensor(shape, turned(rows, source.columns, place.block ?? length / source.columns));
}

/** Rows of a matrix [end - begin, columns], dequantized and scaled. */
export async function readRows(
  steps: Steps,
  matrix: Matrix,
  { begin, end, scale = 1 }: { readonly begin: number; readonly end: number; readonly scale?: number },
): Promise<Float32Array> {
  const rows = Array.from({ length: end - begin }, (_, i) => begin + i);
  return readRowsAt(steps, matrix, rows, scale);
}

/** These rows of a matrix, in order: the lookup of token embeddings, of any matrix. */
export async function readRowsAt(
  steps: Steps,
  matrix: Matrix,
  rows: readonly number[],
  scale = 1,
): Promise<Float32Array> {
  const { columns: dim, rows: vocabSize } = matrix;
  const name = "gathered rows";
  const width = Math.max(...[steps.config.dim, steps.config.hiddenDim, steps.config.heads * steps.config.headDim]);
  const program = await steps.program((activations) => {
    const { tokens, positions } = activations.ports;
    const builder = new ProgramBuilder("gather");
    const buffers = { tokens, positions, table: matrix, positionTable: undefined, vectors: undefined };
    const fixed = { vocabSize, tableBegin: 0, tableEnd: vocabSize, contextLength: 0, vectorCount: 0, scale };
    const y = activations.rows(name, width);
    builder.call(embed, "gather", { ...buffers, y }, { rows: variable("rows"), dim, ...fixed });
    return builder.build();
  });
  try {
    const result = new Float32Array(rows.length * dim);
    for (let first = 0; first < rows.length; first += steps.chunkRows) {
      const data = Uint32Array.from(rows.slice(first, first + steps.chunkRows));
      const [read] = await program.run((activations) => ({
        variables: { rows: data.length },
        writes: [{ tensor: activations.ports.tokens, data }],
        reads: [wholeRead(activations.rows(name, width), data.length * dim)],
      }));
      result.set(read as Float32Array, first * dim);
    }
    return result;
  } finally {
    program.dispose();
  }
}

/** [blocks, block, columns] -> [blocks, columns, block] */
function turned(data: Float32Array, columns: number, block: number): Float32Array {
  const result = new Float32Array(data.length);
  const blocks = data.length / block / columns;
  for (let of = 0; of < blocks; of++) {
    const base = of * block * columns;
    for (let row = 0; row < block; row++) {
      for (let column = 0; column < columns; column++) {
        result[base + column * block + row] = data[base + row * columns + column]!;
      }
    }
  }
  return result;
}

/** Names of the weights that a model has, in the order of the forward pass. */
export function weightNamesOf(config: ModelConfig, weights: ModelWeights): string[] {
  return Object.entries(placesOf(config, weights)).flatMap(([name, { source }]) => (source ? [name] : []));
}
