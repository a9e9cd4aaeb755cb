// onnxruntime-web in headless Chromium: WebAssembly with SIMD and threads, at the operations.

import type { Contender, Ready } from "../comparison/contender.ts";
import { chainModel } from "../comparison/onnx/chain.ts";
import { concatenated } from "../comparison/onnx/protobuf.ts";
import type { OnnxFormat } from "../comparison/onnx/weights.ts";
import { deviationOf, operationOf, ROUND_SECONDS, SIZE } from "../comparison/operation.ts";
import { openChromiumPage, versionOf, type ChromiumPage } from "./chromium-page.ts";

const RUNTIME = "/modules/onnxruntime-web/dist/";
const SCRIPT = `
import * as runtime from "${RUNTIME}ort.wasm.bundle.min.mjs";
let session, feeds;
globalThis.load = async ({ threads, x, rows, size }) => {
  runtime.env.wasm.numThreads = threads;
  runtime.env.wasm.wasmPaths = "${RUNTIME}";
  const model = new Uint8Array(await (await fetch("/chain.onnx")).arrayBuffer());
  session = await runtime.InferenceSession.create(model, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  feeds = { x: new runtime.Tensor("float32", Float32Array.from(x), [rows, size]) };
  return [...(await session.run(feeds)).y.data];
};
globalThis.chain = async ({ seconds }) => {
  const begin = performance.now();
  let runs = 0, passed = 0;
  do {
    await session.run(feeds);
    runs++;
    passed = (performance.now() - begin) / 1000;
  } while (passed < seconds);
  return runs / passed;
};`;

/** Makes onnxruntime-web in a page ready for a task. */
export function contender(): Contender {
  let page: ChromiumPage | undefined;
  let operations = 0;
  return {
    async prepare(task) {
      const operation = operationOf(task.work);
      operations = operation.operations;
      const { rows, x, weights } = operation;
      const model = concatenated(chainModel(rows, SIZE, weights, task.variant as OnnxFormat));
      page = await openChromiumPage(task, SCRIPT, {}, { "/chain.onnx": model });
      const y = await page.call<number[]>("load", { threads: task.threads, x: [...x], rows, size: SIZE });
      const settings: Ready["settings"] = {
        "onnxruntime-web": versionOf("onnxruntime-web"),
        in: page.version,
        threads: task.threads,
        SIMD: true,
        weights: task.variant,
      };
      return { settings, deviation: deviationOf(operation, y) };
    },
    round: async () => {
      const runsPerSecond = await page!.call<number>("chain", { seconds: ROUND_SECONDS });
      return (runsPerSecond * operations) / 1e9;
    },
    dispose: async () => page?.close(),
  };
}
