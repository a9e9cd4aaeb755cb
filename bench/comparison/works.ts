// What is compared: the works, who takes part in each, and the goals. Everything printed follows from this table.

import type { WorkName } from "./contender.ts";

/** One who takes part in a work. */
export interface Entrant {
  /** what tables call it; unique within a work */
  readonly name: string;
  /** the contender's file without its ending: "kedge" is ours, the others lie in bench/peers */
  readonly contender: string;
  readonly variant: string;
}

/** A ratio that is to be reached: ours over the best of some others, or our value alone where there are none. */
export interface Goal {
  readonly ours: string;
  /** names of entrants; the best of those that ran counts */
  readonly others: readonly string[];
  readonly bound: "at least" | "at most";
  readonly value: number;
}

export interface Work {
  readonly name: WorkName;
  readonly title: string;
  readonly unit: "GFLOP/s" | "tokens/s" | "s" | "KB gzip";
  /** digits behind the point in tables */
  readonly digits: number;
  readonly isLessBetter: boolean;
  /** runs on the software adapter that the runner is told */
  readonly onGpu: boolean;
  /** what is done, for the report */
  readonly about: string;
  readonly entrants: readonly Entrant[];
  readonly goals: readonly Goal[];
}

const kedge = (...variants: readonly string[]): Entrant[] =>
  variants.map((variant) => ({ name: `kedge ${variant}`, contender: "kedge", variant }));
const peer = (name: string, contender: string, variant: string): Entrant => ({ name, contender, variant });
const atLeast = (value: number, ours: string, ...others: readonly string[]): Goal => ({
  ...{ ours, others, value },
  bound: "at least",
});
const atMost = (value: number, ours: string, ...others: readonly string[]): Goal => ({
  ...{ ours, others, value },
  bound: "at most",
});

const ORT_WEB = [
  peer("ORT-web WASM f32 (Node)", "onnxruntime-web", "f32"),
  peer("ORT-web WASM f32 (Chromium)", "onnxruntime-web-page", "f32"),
];
const ORT_WEB_NAMES = ORT_WEB.map(({ name }) => name);
const LLAMA = [peer("wllama q4_1", "wllama", "q4_1"), peer("node-llama-cpp q4_1", "node-llama-cpp", "q4_1")];
const WASM_MODELS = [
  peer("transformers.js q8 (Chromium, WASM)", "transformers-page", "int8"),
  peer("transformers.js fp32 (Chromium, WASM)", "transformers-page", "f32"),
  peer("ORT-web WASM q8 (Node)", "onnxruntime-web", "int8"),
];
const NATIVE_MODELS = [peer("transformers.js q4 (Node, native ORT)", "transformers", "int4")];
const WASM_MODEL_NAMES = WASM_MODELS.map(({ name }) => name);

/** All comparisons. */
export const WORKS: readonly Work[] = [
  {
    name: "gemm",
    title: "GEMM 256x1024x1024 on the CPU",
    ...{ unit: "GFLOP/s", digits: 1, isLessBetter: false, onGpu: false },
    about: "A chain of 8 products of [256, 1024] with a matrix [1024, 1024] of its own each, in one run.",
    entrants: [...kedge("f32"), ...ORT_WEB, peer("ORT-node CPU f32", "onnxruntime-node", "f32")],
    goals: [atLeast(1.6, "kedge f32", ...ORT_WEB_NAMES)],
  },
  {
    name: "row",
    title: "One row times 1024x1024 on the CPU",
    ...{ unit: "GFLOP/s", digits: 1, isLessBetter: false, onGpu: false },
    about: "A chain of 48 products of one row with a matrix [1024, 1024] of its own each, in one run.",
    entrants: [...kedge("f32", "int8", "int4"), ...ORT_WEB, peer("ORT-node CPU f32", "onnxruntime-node", "f32")],
    goals: [atLeast(4, "kedge int8", ...ORT_WEB_NAMES), atLeast(4, "kedge int4", ...ORT_WEB_NAMES)],
  },
  {
    name: "gemm-webgpu",
    title: "GEMM 256x1024x1024 on WebGPU",
    ...{ unit: "GFLOP/s", digits: 2, isLessBetter: false, onGpu: true },
    about: "The same chain of 8 products, on a software adapter; input and result pass through the host once a chain.",
    entrants: [...kedge("f32"), peer("ORT-node WebGPU f32", "onnxruntime-node", "f32")],
    goals: [atLeast(2.4, "kedge f32", "ORT-node WebGPU f32")],
  },
  {
    name: "row-webgpu",
    title: "One row times 1024x1024 on WebGPU",
    ...{ unit: "GFLOP/s", digits: 2, isLessBetter: false, onGpu: true },
    about: "The same chain of 48 products, on a software adapter; input and result pass through the host once a chain.",
    entrants: [...kedge("f32"), peer("ORT-node WebGPU f32", "onnxruntime-node", "f32")],
    goals: [atLeast(8, "kedge f32", "ORT-node WebGPU f32")],
  },
  {
    name: "decode",
    title: "Decoding SmolLM2-135M on the CPU",
    ...{ unit: "tokens/s", digits: 1, isLessBetter: false, onGpu: false },
    about: "Greedy tokens after a prompt of 32 tokens; the time from the first new token to the last.",
    entrants: [...kedge("bf16", "int8", "int4"), ...LLAMA, ...WASM_MODELS, ...NATIVE_MODELS],
    goals: [
      atLeast(5, "kedge int4", "wllama q4_1"),
      atLeast(1.3, "kedge int4", "node-llama-cpp q4_1"),
      atLeast(3, "kedge int4", ...WASM_MODEL_NAMES),
    ],
  },
  {
    name: "prefill",
    title: "Reading 512 tokens with SmolLM2-135M on the CPU",
    ...{ unit: "tokens/s", digits: 0, isLessBetter: false, onGpu: false },
    about: "The time from a prompt of 512 tokens to its first new token, with nothing cached.",
    entrants: [...kedge("bf16", "int8", "int4"), ...LLAMA, ...WASM_MODELS, ...NATIVE_MODELS],
    goals: [atLeast(6, "kedge int4", "wllama q4_1"), atLeast(0.9, "kedge int4", "node-llama-cpp q4_1")],
  },
  {
    name: "decode-webgpu",
    title: "Decoding SmolLM2-135M on WebGPU",
    ...{ unit: "tokens/s", digits: 2, isLessBetter: false, onGpu: true },
    about: "As on the CPU, on a software adapter.",
    entrants: kedge("f32", "bf16", "int8", "int4"),
    goals: [atLeast(1.8, "kedge int4", "kedge f32")],
  },
  {
    name: "first-token",
    title: "From the start of a process to the first token",
    ...{ unit: "s", digits: 2, isLessBetter: true, onGpu: false },
    about:
      "A new Node process loads SmolLM2-135M and answers a prompt of 32 tokens; the files are in the disk's cache.",
    entrants: [...kedge("int4 file", "int4", "bf16"), peer("node-llama-cpp q4_1", "node-llama-cpp", "q4_1")],
    goals: [atMost(1.5, "kedge int4 file", "node-llama-cpp q4_1")],
  },
  {
    name: "script-size",
    title: "Script shipped to a page",
    ...{ unit: "KB gzip", digits: 1, isLessBetter: true, onGpu: false },
    about:
      "A page's script that imports `loadModel`, bundled and minified, without WebAssembly and tokenizer libraries: what a browser loads to generate on a device, and all scripts together, of which no browser loads more than one device's.",
    entrants: kedge("on wasm", "on webgpu", "on webgl", "all scripts"),
    goals: [atMost(90, "kedge on wasm"), atMost(90, "kedge on webgpu"), atMost(90, "kedge on webgl")],
  },
];
