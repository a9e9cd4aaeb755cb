// What a call of each kernel of the registry costs (cost.ts). They stand apart from the kernels so that a page, which times none, does
// not load them: `kedge/timing` and `kedge/kernels` import this file.

import { activate } from "./activate/activate.ts";
import { ACTIVATIONS } from "./activation.ts";
import { add } from "./add/add.ts";
import { argmax } from "./argmax/argmax.ts";
import { attendPattern } from "./attend-pattern/attend-pattern.ts";
import { attendWithPattern } from "./attend-with-pattern/attend-with-pattern.ts";
import { attend } from "./attend/attend.ts";
import { attendedWork, listBytes, SCORE_FLOPS, rangedWork } from "./attend/work.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { combineRows } from "./combine-rows/combine-rows.ts";
import { headBytes, numberBytes, weightBytes, type Cost, type CostSetting } from "./cost.ts";
import { embed } from "./embed/embed.ts";
import { gatedLinear } from "./gated-linear/gated-linear.ts";
import { keyNorm } from "./key-norm/key-norm.ts";
import type { BufferUse, Inputs, Kernel, ParamsOf, ParamType, TypedKernel } from "./kernel.ts";
import { layerNorm } from "./layer-norm/layer-norm.ts";
import { linear } from "./linear/linear.ts";
import { logSumExp } from "./log-sum-exp/log-sum-exp.ts";
import { normalize } from "./normalize/normalize.ts";
import { rmsNorm } from "./rms-norm/rms-norm.ts";
import { rotateStore } from "./rotate-store/rotate-store.ts";
import { rotate } from "./rotate/rotate.ts";
import { scaleShift } from "./scale-shift/scale-shift.ts";
import { selectRows } from "./select-rows/select-rows.ts";
import { selectWords } from "./select-words/select-words.ts";
import { softmax } from "./softmax/softmax.ts";
import { sumHeads } from "./sum-heads/sum-heads.ts";
import { tokenLogProb } from "./token-log-prob/token-log-prob.ts";
import { topK } from "./top-k/top-k.ts";

/** The operations and bytes of a call; `inputs` are the contents of its lists, where what is computed depends on them. */
export type CostOfCall<Params = Readonly<Record<string, number>>> = (
  params: Params,
  setting: CostSetting,
  inputs?: Inputs,
) => Cost;

function entry<B extends Record<string, BufferUse>, P extends Record<string, ParamType>>(
  kernel: TypedKernel<B, P>,
  cost: CostOfCall<ParamsOf<P>>,
): readonly [Kernel, CostOfCall] {
  return [kernel, cost as CostOfCall];
}

const costs: ReadonlyMap<Kernel, CostOfCall> = new Map([
  entry(activate, ({ rows, dim }, { present }) => {
    const up = present.has("up") ? 1 : 0;
    return { flops: rows * dim * (1 + up), bytes: numberBytes(rows * dim * (2 + up)) };
  }),

  entry(add, ({ rows, dim }) => ({ flops: rows * dim, bytes: numberBytes(3 * rows * dim) })),

  // A comparison a number.
  entry(argmax, ({ rows, columns }) => ({ flops: rows * columns, bytes: numberBytes(rows * (columns + 1)) })),

  // As `attend` without the values, and the shares are written.
  entry(attendPattern, (params, setting, inputs) => {
    const { rows, heads, kvHeads, headDim, columns, sourceColumns } = params;
    const { pairs, keys } = attendedWork(params, setting, inputs);
    const bytes =
      numberBytes(rows * heads * (headDim + columns + sourceColumns)) +
      headBytes(setting, "cache", keys * kvHeads, headDim) +
      listBytes(params);
    return { flops: pairs * heads * (2 * headDim + SCORE_FLOPS), bytes };
  }),

  // 2 for every share of a head and number of its value; every key of a range counts, visible or not.
  entry(attendWithPattern, (params, setting, inputs) => {
    const { rows, heads, kvHeads, headDim } = params;
    const { pairs, keys } = rangedWork(params, inputs);
    const sources = setting.present.has("sourceCache") ? 2 : 1;
    return {
      flops: pairs * sources * heads * 2 * headDim,
      bytes:
        numberBytes(heads * (pairs * sources + rows * headDim)) +
        headBytes(setting, "cache", keys * sources * kvHeads, headDim) +
        listBytes(params),
    };
  }),

  entry(attend, (params, setting, inputs) => {
    const { rows, heads, kvHeads, headDim } = params;
    const { pairs, keys } = attendedWork(params, setting, inputs);
    return {
      flops: pairs * heads * (4 * headDim + SCORE_FLOPS),
      bytes:
        numberBytes(2 * rows * heads * headDim) +
        headBytes(setting, "cache", 2 * keys * kvHeads, headDim) +
        listBytes(params),
    };
  }),

  entry(cacheMove, ({ rows, kvHeads, headDim }, setting) => ({
    flops: 0,
    bytes: numberBytes(2 * rows) + 2 * headBytes(setting, "cache", rows * 2 * kvHeads, headDim),
  })),

  // A number of a further row: both differences, product, sum; every row of x is read once.
  entry(combineRows, ({ rows, columns, sourceRows }) => ({
    flops: columns * (4 * sourceRows - 3 * rows),
    bytes: numberBytes((sourceRows + rows) * columns + 3 * (sourceRows + rows)),
  })),

  // One multiplication a number, and one addition with learned positions; of the tables only the rows' own lines are read.
  entry(embed, ({ rows, dim }, setting) => {
    const positions = setting.present.has("positionTable") ? 1 : 0;
    const lines = weightBytes(setting, "table", rows * dim) + numberBytes(rows * dim * (1 + positions));
    return { flops: rows * dim * (1 + positions), bytes: lines + numberBytes(rows * (1 + positions)) };
  }),

  // 2 for every weight of both matrices and every row; activation, product and biases of an output one each.
  entry(gatedLinear, ({ rows, inputs, outputs }, setting) => {
    const biases = ["gateBias", "upBias"].filter((name) => setting.present.has(name)).length;
    const weights = ["gate", "up"].map((name) => weightBytes(setting, name, inputs * outputs)) as [number, number];
    return {
      flops: rows * outputs * (4 * inputs + 2 + biases),
      bytes: weights[0] + weights[1] + numberBytes(rows * (inputs + outputs) + outputs * biases),
    };
  }),

  // A number: its square and the sum; a root a head.
  entry(keyNorm, ({ rows, kvHeads, headDim }, setting) => ({
    flops: rows * kvHeads * (2 * headDim + 1),
    bytes: numberBytes(rows * 2) + headBytes(setting, "cache", rows * kvHeads, headDim),
  })),

  // A number: 1 for the mean, 3 for the variance, 3 for centering, scaling and its weight; 1 for the bias.
  entry(layerNorm, ({ rows, dim }, { present }) => {
    const bias = present.has("bias") ? 1 : 0;
    return { flops: rows * dim * (7 + bias), bytes: numberBytes(rows * dim * 2 + dim * (1 + bias)) };
  }),

  // 2 for every weight and row; 1 for each epilogue of an output. Every weight is read once, however many rows there are.
  entry(linear, ({ rows, inputs, outputs, activation, softcap }, setting) => {
    const [bias, residual] = ["bias", "residual"].map((name) => (setting.present.has(name) ? 1 : 0)) as [
      number,
      number,
    ];
    const epilogues = bias + residual + Number(activation !== ACTIVATIONS.none) + 3 * Number(softcap > 0);
    const numbers = rows * (inputs + outputs * (1 + residual)) + outputs * bias;
    return {
      flops: rows * outputs * (2 * inputs + epilogues),
      bytes: weightBytes(setting, "weight", inputs * outputs) + numberBytes(numbers),
    };
  }),

  // A number: largest, difference, exponential, sum.
  entry(logSumExp, ({ rows, columns }) => ({ flops: 4 * rows * columns, bytes: numberBytes(rows * (columns + 2)) })),

  // A number: squared, summed and scaled, and with `centered` 1 for the mean and 2 for the differences.
  entry(normalize, ({ rows, dim, centered }) => ({
    flops: rows * dim * (3 + 3 * centered),
    bytes: numberBytes(2 * rows * dim),
  })),

  // A number: squared and summed, scaled, its weight offset and multiplied by: 5; 6 with the residual.
  entry(rmsNorm, ({ rows, dim }, { present }) => {
    const residual = present.has("residual") ? 1 : 0;
    return { flops: rows * dim * (5 + residual), bytes: numberBytes(rows * dim * (2 + residual) + dim) };
  }),

  // A rotated number: 2 products and a sum; a normed one: square, sum, scale, weight. All of qkv is read once and written once.
  entry(rotateStore, ({ rows, heads, kvHeads, headDim, rotaryDims }, setting) => {
    const { present } = setting;
    const norms = [present.has("qNorm") ? heads : 0, present.has("kNorm") ? kvHeads : 0] as const;
    const rotated = present.has("rotation") ? rotaryDims : 0;
    const numbers = rows * ((2 * heads + 2 * kvHeads) * headDim + rotated + 1);
    const weights = norms.filter((count) => count > 0).length * headDim;
    return {
      flops: rows * ((heads + kvHeads) * rotated * 3 + (norms[0] + norms[1]) * headDim * 4),
      bytes: numberBytes(numbers + weights) + headBytes(setting, "cache", rows * 2 * kvHeads, headDim),
    };
  }),

  // As `rotate-store`; all of qkv is read once and written once.
  entry(rotate, ({ rows, heads, kvHeads, headDim, rotaryDims }, { present }) => {
    const norms = [present.has("qNorm") ? heads : 0, present.has("kNorm") ? kvHeads : 0] as const;
    const weights = norms.filter((count) => count > 0).length * headDim;
    return {
      flops: rows * ((heads + kvHeads) * rotaryDims * 3 + (norms[0] + norms[1]) * headDim * 4),
      bytes: numberBytes(rows * (2 * (heads + 2 * kvHeads) * headDim + rotaryDims) + weights),
    };
  }),

  entry(scaleShift, ({ rows, dim }, { present }) => {
    const bias = present.has("bias") ? 1 : 0;
    return { flops: rows * dim * (2 + bias), bytes: numberBytes(2 * rows * dim + dim * (1 + bias)) };
  }),

  entry(selectRows, ({ rows, dim }) => ({ flops: 0, bytes: numberBytes(rows * (2 * dim + 1)) })),

  entry(selectWords, ({ rows }) => ({ flops: 0, bytes: numberBytes(3 * rows) })),

  // A number: largest, difference, exponential, sum, quotient.
  entry(softmax, ({ rows, columns }) => ({ flops: 5 * rows * columns, bytes: numberBytes(2 * rows * columns) })),

  entry(sumHeads, ({ rows, heads, columns }) => ({
    flops: rows * heads * columns,
    bytes: numberBytes(rows * columns * (heads + 1)),
  })),

  // A number: largest, difference, exponential, sum.
  entry(tokenLogProb, ({ rows, columns }) => ({ flops: 4 * rows * columns, bytes: numberBytes(rows * (columns + 2)) })),

  // A comparison, an exponential and a sum a number; what sorting takes is the implementation's.
  entry(topK, ({ rows, columns, k }) => ({
    flops: 3 * rows * columns,
    bytes: numberBytes(rows * (columns + 2 * k + 1)),
  })),
]);

/** The cost of a kernel's calls: its definition's own, or that of the registry. */
export function costOf(kernel: Kernel): CostOfCall | undefined {
  return kernel.cost ?? costs.get(kernel);
}
