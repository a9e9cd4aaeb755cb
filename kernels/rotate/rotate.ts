import { defineKernel } from "../kernel.ts";
import { rotateHead } from "../rotate-store/rotate-head.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The first half of `rotate-store`, for taps that read what lies between: q and k normed and rotated, v unchanged.
 * qkv, y [rows, heads + 2 kvHeads, headDim]; rotation [rows, rotaryDims / 2, 2]; qNorm, kNorm [headDim].
 * `rotate-store` without rotation and norms stores y.
 */
export const rotate = defineKernel({
  name: "rotate",
  buffers: { qkv: "read", rotation: "read", qNorm: "read optional", kNorm: "read optional", y: "write" },
  params: {
    rows: "u32",
    heads: "u32",
    kvHeads: "u32",
    headDim: "u32",
    rotaryDims: "u32",
    interleaved: "u32",
    epsilon: "f32",
  },
  sizes: ({ rows, heads, kvHeads, headDim, rotaryDims }) => ({
    qkv: rows * (heads + 2 * kvHeads) * headDim,
    rotation: rows * rotaryDims,
    qNorm: headDim,
    kNorm: headDim,
    y: rows * (heads + 2 * kvHeads) * headDim,
  }),
  reference(buffers, params) {
    const { rows, heads, kvHeads, headDim } = params;
    const allHeads = heads + 2 * kvHeads;
    for (let row = 0; row < rows; row++) {
      for (let head = 0; head < allHeads; head++) {
        buffers.y.set(rotateHead(buffers, params, row, head), (row * allHeads + head) * headDim);
      }
    }
  },
  bound: () => ({ absolute: 4e-6, relative: 1e-5 }),
  inputs: ({ rows, rotaryDims }, random) => {
    const angles = Array.from({ length: (rows * rotaryDims) / 2 }, () => random.normal() * 3);
    return { rotation: Float64Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)])) };
  },
  samples: [
    {
      params: { rows: 3, heads: 4, kvHeads: 2, headDim: 16, rotaryDims: 16, interleaved: 0, epsilon: 1e-6 },
      absent: ["qNorm", "kNorm"],
    },
    { params: { rows: 2, heads: 3, kvHeads: 3, headDim: 20, rotaryDims: 8, interleaved: 1, epsilon: 1e-6 } },
  ],
  implementations: [...wasm],
});
