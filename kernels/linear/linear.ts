import { ACTIVATIONS, activate } from "../activation.ts";
import { defineKernel, sumBound } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * A linear layer with what follows it: y = softcap(act(x · weightᵀ + bias)) + residual, softcap(v) = softcap · tanh(v / softcap).
 * x [rows, inputs]; weight [outputs, inputs]; bias [outputStride]; residual, y [rows, outputStride], of which columns
 * outputBegin..outputBegin + outputs are written. A softcap of 0 turns that step off; `activation` is a code of ACTIVATIONS.
 * Few rows (decoding), many rows (prefill) and each format of weights are different algorithms under this name.
 */
export const linear = defineKernel({
  name: "linear",
  buffers: { x: "read", weight: "matrix", bias: "read optional", residual: "read optional", y: "write" },
  params: {
    rows: "u32",
    inputs: "u32",
    outputs: "u32",
    outputBegin: "u32",
    outputStride: "u32",
    activation: "u32",
    softcap: "f32",
  },
  sizes: ({ rows, inputs, outputs, outputStride }) => ({
    x: rows * inputs,
    weight: outputs * inputs,
    bias: outputStride,
    residual: rows * outputStride,
    y: rows * outputStride,
  }),
  matrices: ({ inputs, outputs }) => ({ weight: [outputs, inputs] }),
  piece: (params, begin, end) => ({ ...params, outputs: end - begin, outputBegin: params.outputBegin + begin }),
  reference({ x, weight, bias, residual, y }, params) {
    const { rows, inputs, outputs, outputBegin, outputStride, activation, softcap } = params;
    for (let row = 0; row < rows; row++) {
      for (let output = 0; output < outputs; output++) {
        const column = outputBegin + output;
        let sum = bias ? bias[column]! : 0;
        for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * weight[output * inputs + i]!;
        let value = activate(activation, sum);
        if (softcap > 0) value = softcap * Math.tanh(value / softcap);
        const place = row * outputStride + column;
        y[place] = (residual ? residual[place]! : 0) + value;
      }
    }
  },
  bound: ({ inputs }) => sumBound(inputs, 4),
  samples: [
    {
      params: {
        rows: 1,
        inputs: 64,
        outputs: 24,
        outputBegin: 0,
        outputStride: 24,
        activation: ACTIVATIONS.none,
        softcap: 0,
      },
    },
    {
      params: {
        rows: 3,
        inputs: 36,
        outputs: 10,
        outputBegin: 3,
        outputStride: 15,
        activation: ACTIVATIONS.gelu,
        softcap: 3,
      },
      absent: ["residual"],
    },
    {
      params: {
        rows: 19,
        inputs: 64,
        outputs: 40,
        outputBegin: 0,
        outputStride: 40,
        activation: ACTIVATIONS["gelu-tanh"],
        softcap: 0,
      },
      absent: ["bias", "residual"],
    },
  ],
  implementations: [...wasm],
});
