// ONNX Runtime at the operations, through whichever of its packages: they share their interface.

import type { InferenceSession, Tensor } from "onnxruntime-common";
import type { Ready, Task } from "../comparison/contender.ts";
import { chainModel } from "../comparison/onnx/chain.ts";
import { concatenated } from "../comparison/onnx/protobuf.ts";
import type { OnnxFormat } from "../comparison/onnx/weights.ts";
import { deviationOf, operationOf, SIZE, timeChain } from "../comparison/operation.ts";

/** What both packages have. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => Tensor;
}

/** Makes a session of the work's chain and runs it once. */
export async function prepareChain(
  runtime: OnnxRuntime,
  task: Task,
  options: InferenceSession.SessionOptions,
  settings: Ready["settings"],
) {
  const operation = operationOf(task.work);
  const { rows, x, weights } = operation;
  const model = concatenated(chainModel(rows, SIZE, weights, task.variant as OnnxFormat));
  const session = await runtime.InferenceSession.create(model, options);
  const feeds = { x: new runtime.Tensor("float32", x, [rows, SIZE]) };
  const run = () => session.run(feeds);
  const { y } = await run();
  const ready: Ready = { settings, deviation: deviationOf(operation, y!.data as Float32Array) };
  return { ready, round: () => timeChain(operation, run), dispose: () => session.release() };
}
