// The calls in which kernels are timed: those of two models in decoding (one row) and prefill (many rows), with attention over lists
// of keys like a cache's, and the square products that other projects quote.

import {
  ACTIVATIONS,
  attend,
  attendPattern,
  attendWithPattern,
  activate,
  add,
  argmax,
  cacheMove,
  combineRows,
  DENSE,
  embed,
  gatedLinear,
  keyNorm,
  layerNorm,
  linear,
  logSumExp,
  normalize,
  rmsNorm,
  rotate,
  rotateStore,
  scaleShift,
  sumHeads,
  selectRows,
  selectWords,
  softmax,
  tokenLogProb,
  topK,
  type Inputs,
  type Kernel,
  type Sample,
} from "kedge/kernels";

/** One call to time. */
export interface KernelCase {
  /** the list that it belongs to: `smollm2-decode` */
  readonly list: string;
  /** what it is there for: `feed-forward down` */
  readonly label: string;
  /** sizes in short: `1x1536x576` */
  readonly size: string;
  readonly kernel: Kernel;
  readonly sample: Sample;
  /** contents of buffers that must be as in a model */
  readonly inputs?: Inputs;
}

/** What of a model decides its shapes. */
interface Dimensions {
  readonly dim: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
}

const SMOLLM2: Dimensions = { dim: 576, hidden: 1536, heads: 9, kvHeads: 3, headDim: 64, vocabSize: 49152 };
const SHIPPED: Dimensions = { dim: 256, hidden: 704, heads: 4, kvHeads: 2, headDim: 64, vocabSize: 1024 };
/** What a shape of the caller's may name, and what it is otherwise: a step of SmolLM2-135M that sees 512 keys. */
export const SIZES: Readonly<Record<string, number>> = { rows: 1, keys: 512, ...SMOLLM2 };
/** Largest size of a shape: more is a slip of the finger, and fills the memory. */
const MOST = 1 << 20;
const TINY: Dimensions = { dim: 32, hidden: 48, heads: 2, kvHeads: 1, headDim: 16, vocabSize: 61 };

type Bare = Omit<KernelCase, "list">;

function product(label: string, rows: number, inputs: number, outputs: number, isResidual = false): Bare {
  const params = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs, activation: 0, softcap: 0 };
  const absent = isResidual ? ["bias"] : ["bias", "residual"];
  return { label, size: `${rows}x${inputs}x${outputs}`, kernel: linear, sample: { params, absent } };
}

/** Lists as of one sequence whose last `rows` tokens are the rows: each sees the keys up to its own. */
function causalLists(rows: number, keys: number): Inputs {
  const ranges = Uint32Array.from({ length: rows * 4 }, (_, i) => {
    const position = keys - rows + (i >> 2);
    return [0, position + 1, position, 0][i & 3]!;
  });
  const entries = Uint32Array.from({ length: keys * 4 }, (_, i) => [i >> 2, i >> 2, 0, 0][i & 3]!);
  return { ranges, entries };
}

/** The calls of a layer and of what stands around the layers, for `rows` rows that see up to `keys` keys. */
function modelCases(model: Dimensions, rows: number, keys: number): Bare[] {
  const { dim, hidden, heads, kvHeads, headDim, vocabSize } = model;
  const rowsOf = (width: number) => `${rows}x${width}`;
  const cache = { kvHeads, headDim, list: 0, slotCount: keys };
  const scores = { rows, heads, ...cache, entryCount: keys, scale: headDim ** -0.5, softcap: 0, ...DENSE };
  const { scale: _scale, softcap: _softcap, ...weighted } = { ...scores, columns: keys, sourceColumns: 0 };
  const withoutRule = Object.fromEntries(Object.entries(weighted).filter(([name]) => !(name in DENSE)));
  const inputs = causalLists(rows, keys);
  const attention = `${rows}x${heads}/${kvHeads}x${headDim}, ${keys} keys`;
  const noSource = { absent: ["sourceCache", "headBiases"] };
  const vocabulary = { rows, columns: vocabSize };
  const gated = { rows, inputs: dim, outputs: hidden, outputBegin: 0, outputStride: hidden };
  const one = { rows: 1, columns: vocabSize };
  return [
    {
      label: "tokens to vectors",
      size: rowsOf(dim),
      kernel: embed,
      sample: {
        params: {
          rows,
          dim,
          vocabSize,
          tableBegin: 0,
          tableEnd: vocabSize,
          contextLength: 0,
          vectorCount: 0,
          scale: 1,
        },
        absent: ["positionTable", "vectors"],
      },
    },
    {
      label: "norm",
      size: rowsOf(dim),
      kernel: rmsNorm,
      sample: { params: { rows, dim, epsilon: 1e-5, weightOffset: 0 }, absent: ["residual"] },
    },
    { label: "norm", size: rowsOf(dim), kernel: layerNorm, sample: { params: { rows, dim, epsilon: 1e-5 } } },
    {
      label: "norm without its weight",
      size: rowsOf(dim),
      kernel: normalize,
      sample: { params: { rows, dim, epsilon: 1e-5, centered: 0 } },
    },
    {
      label: "a norm's weight",
      size: rowsOf(dim),
      kernel: scaleShift,
      sample: { params: { rows, dim, weightOffset: 0 }, absent: ["bias"] },
    },
    product("q, k and v", rows, dim, (heads + 2 * kvHeads) * headDim),
    {
      label: "rotate and store",
      size: `${rows}x${heads}+${kvHeads}x${headDim}`,
      kernel: rotateStore,
      sample: {
        params: { rows, heads, ...cache, rotaryDims: headDim, interleaved: 0, epsilon: 1e-6 },
        absent: ["qNorm", "kNorm"],
      },
    },
    {
      label: "rotate alone",
      size: `${rows}x${heads}+${kvHeads}x${headDim}`,
      kernel: rotate,
      sample: {
        params: { rows, heads, kvHeads, headDim, rotaryDims: headDim, interleaved: 0, epsilon: 1e-6 },
        absent: ["qNorm", "kNorm"],
      },
    },
    { label: "attention", size: attention, kernel: attend, sample: { params: scores, ...noSource }, inputs },
    {
      label: "the pattern itself",
      size: attention,
      kernel: attendPattern,
      sample: { params: { ...scores, columns: keys, sourceColumns: 0, kind: 1 }, ...noSource },
      inputs,
    },
    {
      label: "an edited pattern",
      size: attention,
      kernel: attendWithPattern,
      sample: { params: withoutRule, absent: ["sourceCache"] },
      inputs,
    },
    product("attention out", rows, heads * headDim, dim, true),
    {
      label: "feed-forward up",
      size: `${rows}x${dim}x2·${hidden}`,
      kernel: gatedLinear,
      sample: { params: { ...gated, activation: ACTIVATIONS.silu }, absent: ["gateBias", "upBias"] },
    },
    product("feed-forward down", rows, hidden, dim, true),
    product("logits", 1, dim, vocabSize),
    {
      label: "rows that go on",
      size: rowsOf(dim),
      kernel: selectRows,
      sample: { params: { rows, dim, sourceRows: rows } },
    },
    { label: "sum", size: rowsOf(dim), kernel: add, sample: { params: { rows, dim } } },
    {
      label: "activation",
      size: rowsOf(hidden),
      kernel: activate,
      sample: { params: { rows, dim: hidden, activation: ACTIVATIONS.silu } },
    },
    { label: "probabilities", size: `1x${vocabSize}`, kernel: softmax, sample: { params: one } },
    { label: "best token", size: `1x${vocabSize}`, kernel: argmax, sample: { params: one } },
    {
      label: "best tokens",
      size: `1x${vocabSize}, ${Math.min(40, vocabSize)} of them`,
      kernel: topK,
      sample: { params: { ...one, k: Math.min(40, vocabSize), scale: 1 } },
    },
    { label: "a token's probability", size: rowsOf(vocabSize), kernel: tokenLogProb, sample: { params: vocabulary } },
    {
      label: "sums for a contrast",
      size: `2x${vocabSize}`,
      kernel: logSumExp,
      sample: { params: { ...one, rows: 2, wantsSum: 1 } },
    },
    {
      label: "two rows combined",
      size: `2x${vocabSize}`,
      kernel: combineRows,
      sample: { params: { ...one, sourceRows: 2 } },
    },
    { label: "tokens of rows", size: "2", kernel: selectWords, sample: { params: { rows: 2, sourceRows: 1 } } },
    {
      label: "slots moved",
      size: `${Math.floor(keys / 2)} slots`,
      kernel: cacheMove,
      sample: { params: { rows: Math.floor(keys / 2), kvHeads, headDim, slotCount: keys } },
    },
    {
      label: "weights over heads",
      size: `${rows}x${heads}x${keys}`,
      kernel: sumHeads,
      sample: { params: { rows, heads, columns: keys, stride: keys } },
    },
    { label: "norms of keys", size: `${keys} keys`, kernel: keyNorm, sample: { params: { rows: keys, ...cache } } },
  ];
}

const lists: Readonly<Record<string, () => Bare[]>> = {
  "smollm2-decode": () => modelCases(SMOLLM2, 1, 512),
  "smollm2-prefill": () => modelCases(SMOLLM2, 256, 256),
  "shipped-decode": () => modelCases(SHIPPED, 1, 512),
  "shipped-prefill": () => modelCases(SHIPPED, 256, 256),
  square: () => [product("one row", 1, 1024, 1024), product("many rows", 256, 1024, 1024)],
  tiny: () => modelCases(TINY, 3, 7),
};

/**
 * The calls of a shape of the caller's: a product `ROWSxINPUTSxOUTPUTS`, or `NAME=VALUE,…` with names of {@link SIZES}, for all calls
 * of a model of these sizes; `more` goes before both. Throws a RangeError that says what is wrong with it.
 */
export function casesOfShape(text: string, more: Readonly<Record<string, number>> = {}): KernelCase[] {
  const triple = /^(\d+)x(\d+)x(\d+)$/.exec(text)?.slice(1).map(Number);
  if (triple) {
    const [rows, inputs, outputs] = triple as [number, number, number];
    checkSizes(text, { rows, inputs, outputs });
    return [{ list: "own", ...product("a product", more["rows"] ?? rows, inputs, outputs) }];
  }
  const given = Object.fromEntries(
    (text === "" ? [] : text.split(",")).map((part) => {
      const [, name, value] = /^([a-zA-Z]+)=(\d+)$/.exec(part) ?? [];
      if (name !== undefined && name in SIZES) return [name, Number(value)];
      throw new RangeError(
        `the shape "${text}" has "${part}": use ROWSxINPUTSxOUTPUTS, or NAME=VALUE of ${Object.keys(SIZES).join(", ")}`,
      );
    }),
  );
  const sizes = { ...SIZES, ...given, ...more } as typeof SIZES & Dimensions & { rows: number; keys: number };
  checkSizes(text, sizes);
  const { rows, keys, heads, kvHeads } = sizes;
  if (keys < rows)
    throw new RangeError(`the shape "${text}" has ${keys} keys and ${rows} rows: a row sees its own key`);
  if (heads % kvHeads !== 0) {
    throw new RangeError(`the shape "${text}" has ${heads} heads and ${kvHeads} kvHeads: the first must be a multiple`);
  }
  return modelCases(sizes, rows, keys).map((one) => ({ list: "own", ...one }));
}

function checkSizes(text: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (Number.isInteger(value) && value > 0 && value <= MOST) continue;
    throw new RangeError(`the shape "${text}" has ${name} = ${value}: it must be a whole number from 1 to ${MOST}`);
  }
}

/** Names of the lists. */
export const SHAPE_LISTS: readonly string[] = Object.keys(lists);

/** The calls of a list, each once. Throws a RangeError for a name that is none. */
export function casesOf(list: string): KernelCase[] {
  const make = lists[list];
  if (!make) throw new RangeError(`there are no shapes "${list}": use ${SHAPE_LISTS.join(", ")}`);
  return make().map((one) => ({ ...one, list }));
}
