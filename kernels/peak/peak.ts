// The peak rates of a machine, as far as programs of this kind can reach them: two kernels that no model calls. Rates of other kernels
// are shares of these two.
//
//   multiplyAdd   y = x, then `steps` times y = y · factor + addend: only multiply-adds, 32 independent ones a lane
//   readThrough   y[64 c + i] = sum over k < 64 of x[4096 c + 64 k + i]: every number is read once, in order

import { numberBytes } from "../cost.ts";
import { defineKernel, sumBound } from "../kernel.ts";
import { spread } from "../dispatch.ts";
import multiplyAddFunction from "./multiply-add.gl.js?raw";
import multiplyAddText from "./multiply-add.wgsl?raw";
import readThroughFunction from "./read-through.gl.js?raw";
import readThroughText from "./read-through.wgsl?raw";

/** Numbers of a lane of `multiplyAdd`. */
const LANE_NUMBERS = 32;
const LANES = 64;
/** Numbers of a chunk of `readThrough`, and of its sums. */
const [CHUNK_NUMBERS, CHUNK_SUMS] = [4096, 64];

/** Nothing but multiply-adds. */
export const multiplyAdd = defineKernel({
  name: "multiply-add",
  buffers: { x: "read", y: "write" },
  // count: a multiple of 32
  params: { count: "u32", steps: "u32", factor: "f32", addend: "f32" },
  sizes: ({ count }) => ({ x: count, y: count }),
  reference({ x, y }, { count, steps, factor, addend }) {
    for (let i = 0; i < count; i++) {
      let value = x[i]!;
      for (let step = 0; step < steps; step++) value = value * factor + addend;
      y[i] = value;
    }
  },
  bound: () => ({ absolute: 1e-6, relative: 1e-5 }),
  cost: ({ count, steps }) => ({ flops: 2 * count * steps, bytes: numberBytes(2 * count) }),
  samples: [{ params: { count: 96, steps: 9, factor: 0.5, addend: 0.25 } }],
  implementations: [
    {
      name: "multiply-add",
      wgsl: multiplyAddText,
      elements: { x: "vec4<f32>", y: "vec4<f32>" },
      requires: [],
      workgroups: ({ params }) => spread(Math.ceil(params["count"]! / (LANES * LANE_NUMBERS))),
    },
    { name: "multiply-add", wasm: "multiplyAdd", requires: [] },
    { name: "multiply-add", webgl: [{ writes: "y", source: multiplyAddFunction }], requires: [] },
  ],
});

/** Nothing but reading. */
export const readThrough = defineKernel({
  name: "read-through",
  buffers: { x: "read", y: "write" },
  params: { chunks: "u32" },
  sizes: ({ chunks }) => ({ x: chunks * CHUNK_NUMBERS, y: chunks * CHUNK_SUMS }),
  reference({ x, y }, { chunks }) {
    for (let sum = 0; sum < chunks * CHUNK_SUMS; sum++) {
      const [chunk, i] = [Math.floor(sum / CHUNK_SUMS), sum % CHUNK_SUMS];
      let total = 0;
      for (let at = i; at < CHUNK_NUMBERS; at += CHUNK_SUMS) total += x[chunk * CHUNK_NUMBERS + at]!;
      y[sum] = total;
    }
  },
  bound: () => sumBound(CHUNK_NUMBERS / CHUNK_SUMS),
  cost: ({ chunks }) => ({
    flops: chunks * CHUNK_NUMBERS,
    bytes: numberBytes(chunks * (CHUNK_NUMBERS + CHUNK_SUMS)),
  }),
  // any numbers do, and there are many of them
  inputs: ({ chunks }) => ({ x: Float32Array.from({ length: chunks * CHUNK_NUMBERS }, (_, i) => (i % 61) / 61) }),
  samples: [{ params: { chunks: 3 } }],
  implementations: [
    {
      name: "read-through",
      wgsl: readThroughText,
      requires: [],
      workgroups: ({ params }) => spread(params["chunks"]!),
    },
    { name: "read-through", wasm: "readThrough", requires: [] },
    {
      name: "read-through",
      webgl: [{ writes: "y", source: readThroughFunction, line: () => CHUNK_SUMS / 4 }],
      requires: [],
    },
  ],
});
