import { ACTIVATIONS, activate } from "../activation.ts";
import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The first half of a gated feed-forward (arXiv 2002.05202): y = act(x · gateᵀ + gateBias) · (x · upᵀ + upBias).
 * x [rows, inputs]; gate, up [outputs, inputs]; biases [outputStride]; y [rows, outputStride], of which columns
 * outputBegin..outputBegin + outputs are written. `activation` is a code of ACTIVATIONS.
 */
export const gatedLinear = defineKernel({
  name: "gated-linear",
  buffers: {
    x: "read",
    gate: "matrix",
    up: "matrix",
    gateBias: "read optional",
    upBias: "read optional",
    y: "write",
  },
  params: {
    rows: "u32",
    inputs: "u32",
    outputs: "u32",
    outputBegin: "u32",
    outputStride: "u32",
    activation: "u32",
  },
  sizes: ({ rows, inputs, outputs, outputStride }) => ({
    x: rows * inputs,
    gate: outputs * inputs,
    up: outputs * inputs,
    gateBias: outputStride,
    upBias: outputStride,
    y: rows * outputStride,
  }),
  matrices: ({ inputs, outputs }) => ({ gate: [outputs, inputs], up: [outputs, inputs] }),
  piece: (params, begin, end) => ({ ...params, outputs: end - begin, outputBegin: params.outputBegin + begin }),
  reference({ x, gate, up, gateBias, upBias, y }, params) {
    const { rows, inputs, outputs, outputBegin, outputStride, activation } = params;
    for (let row = 0; row < rows; row++) {
      for (let output = 0; output < outputs; output++) {
        const column = outputBegin + output;
        let gateSum = gateBias ? gateBias[column]! : 0;
        let upSum = upBias ? upBias[column]! : 0;
        for (let i = 0; i < inputs; i++) {
          gateSum += x[row * inputs + i]! * gate[output * inputs + i]!;
          upSum += x[row * inputs + i]! * up[output * inputs + i]!;
        }
        y[row * outputStride + column] = activate(activation, gateSum) * upSum;
      }
    }
  },
  // A product of two sums, each as large as sqrt(inputs): errors of either are carried by the other.
  bound: ({ inputs }) => ({ absolute: 4e-6 * inputs, relative: 1e-5 }),
  samples: [
    {
      params: { rows: 1, inputs: 64, outputs: 24, outputBegin: 0, outputStride: 24, activation: ACTIVATIONS.silu },
      absent: ["gateBias", "upBias"],
    },
    {
      params: {
        rows: 3,
        inputs: 36,
        outputs: 10,
        outputBegin: 2,
        outputStride: 13,
        activation: ACTIVATIONS["gelu-tanh"],
      },
    },
    {
      params: { rows: 19, inputs: 64, outputs: 40, outputBegin: 0, outputStride: 40, activation: ACTIVATIONS.silu },
      absent: ["gateBias", "upBias"],
    },
  ],
  implementations: [...wasm],
});
