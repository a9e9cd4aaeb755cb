// onnxruntime-node at the operations: its CPU provider, or its WebGPU provider on the adapter that the process finds.

import * as runtime from "onnxruntime-node";
import type { Contender } from "../comparison/contender.ts";
import { prepareChain, type OnnxRuntime } from "./chain-session.ts";

/** Makes onnxruntime-node ready for a task. */
export function contender(): Contender {
  let prepared: Awaited<ReturnType<typeof prepareChain>> | undefined;
  return {
    async prepare(task) {
      const provider = task.work.endsWith("-webgpu") ? "webgpu" : "cpu";
      const options = {
        executionProviders: [provider],
        intraOpNumThreads: task.threads,
        graphOptimizationLevel: "all",
      } as const;
      const settings = {
        "onnxruntime-node": runtime.env.versions.node ?? "unknown",
        provider,
        ...(provider === "cpu" ? { threads: task.threads } : {}),
        "graph optimization": "all",
      };
      prepared = await prepareChain(runtime as unknown as OnnxRuntime, task, options, settings);
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => prepared?.dispose(),
  };
}
