// onnxruntime-web in Node: WebAssembly with SIMD and threads, at the operations and at whole models (greedy, with the cache
// passed from run to run).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as runtime from "onnxruntime-web";
import type { Contender, Ready, Task } from "../comparison/contender.ts";
import { prepareDecoding } from "../comparison/decoding.ts";
import { ONNX_FILES } from "../comparison/onnx/folder.ts";
import type { OnnxFormat } from "../comparison/onnx/weights.ts";
import { prepareChain, type OnnxRuntime } from "./chain-session.ts";
import { decodeWith } from "./decoder-session.ts";

const OPTIONS = { executionProviders: ["wasm"], graphOptimizationLevel: "all" } as const;

async function prepareModel(task: Task, settings: Ready["settings"]) {
  const { file } = ONNX_FILES[task.variant as OnnxFormat];
  const session = await runtime.InferenceSession.create(
    readFileSync(join(task.files.onnxFolder, "onnx", file)),
    OPTIONS,
  );
  const prepared = await prepareDecoding(task, settings, (prompt, count) =>
    decodeWith(runtime, session, prompt, count),
  );
  return { ...prepared, dispose: () => session.release() };
}

/** Makes onnxruntime-web ready for a task. */
export function contender(): Contender {
  let prepared: { ready: Ready; round(): Promise<number>; dispose(): Promise<void> } | undefined;
  return {
    async prepare(task) {
      runtime.env.wasm.numThreads = task.threads;
      const settings = {
        "onnxruntime-web": runtime.env.versions.web ?? "unknown",
        in: `Node ${process.version}`,
        threads: task.threads,
        SIMD: true,
        weights: task.variant,
      };
      prepared = /^(gemm|row)/.test(task.work)
        ? await prepareChain(runtime as unknown as OnnxRuntime, task, OPTIONS, settings)
        : await prepareModel(task, settings);
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => prepared?.dispose(),
  };
}
