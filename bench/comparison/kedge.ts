// kedge as a contender, through its public names. Variants are formats: f32, bf16, int8, int4.

import { collect, loadModel, type Device, type Model } from "kedge";
import { openDevice, ProgramBuilder, type Matrix } from "kedge/devices";
import { isQuantized, linear, type QuantizedFormat } from "kedge/kernels";
import manifest from "../../package.json" with { type: "json" };
import type { Contender, Ready, Task } from "./contender.ts";
import { prepareDecoding } from "./decoding.ts";
import { firstToken } from "./first-token.ts";
import { deviationOf, operationOf, SIZE, timeChain } from "./operation.ts";
import { scriptSize } from "./script-size.ts";

const isOnGpu = (task: Task): boolean => task.work.endsWith("-webgpu");

function settingsOf(device: Device, format: string): Ready["settings"] {
  return { kedge: manifest.version, device: device.description, weights: format };
}

function quantizeOption(format: string): { quantize?: QuantizedFormat } {
  return isQuantized(format) ? { quantize: format } : {};
}

/** A chain of products recorded as one program. */
async function prepareOperation(task: Task) {
  const operation = operationOf(task.work);
  const { rows, x, weights } = operation;
  const device = await openDevice(isOnGpu(task) ? "webgpu" : "wasm", { threads: task.threads });
  const tensors = ["x", "even", "odd"].map((label) => device.createTensor(label, "f32", x.length, "activations"));
  const [input, even, odd] = tensors as [(typeof tensors)[0], (typeof tensors)[0], (typeof tensors)[0]];
  const builder = new ProgramBuilder("chain");
  let from = input;
  for (const [i, values] of weights.entries()) {
    const bytes = (begin: number, end: number) => new Uint8Array(values.slice(begin * SIZE, end * SIZE).buffer);
    const weight: Matrix = await device.createMatrix({
      label: `w${i}`,
      rows: SIZE,
      columns: SIZE,
      format: "f32",
      ...quantizeOption(task.variant),
      read: (begin, end) => Promise.resolve(bytes(begin, end)),
    });
    const y = i % 2 === 0 ? even : odd;
    builder.call(
      linear,
      `link ${i}`,
      { x: from, weight, bias: undefined, residual: undefined, y },
      { rows, inputs: SIZE, outputs: SIZE, outputBegin: 0, outputStride: SIZE, activation: 0, softcap: 0 },
    );
    from = y;
  }
  const executable = await device.prepare(builder.build());
  const reads = [{ tensor: from, begin: 0, end: from.length }];
  const run = () => device.run(executable, { variables: {}, writes: [{ tensor: input, data: x }], reads });
  const [y] = await run();
  const settings = { ...settingsOf(device, task.variant), implementation: executable.chosen[0]!.join(", ") };
  return {
    ready: { settings, deviation: deviationOf(operation, y!) },
    round: () => timeChain(operation, run),
    dispose: () => device.dispose(),
  };
}

/** Greedy tokens, and when each was there, in milliseconds. */
async function continuation(model: Model, prompt: readonly number[], count: number) {
  const times: number[] = [];
  const stopWhen = (): boolean => {
    times.push(performance.now());
    return false;
  };
  const begin = performance.now();
  const [generation] = await collect(
    model.generate(prompt, { maxTokens: count, temperature: 0, ignoreEndTokens: true, stopWhen }),
  );
  return { tokens: generation!.tokens, begin, times };
}

/** A whole model: decoding, or reading a prompt. */
async function prepareModel(task: Task, device: "wasm" | "webgpu") {
  const { variant, threads, files } = task;
  const folder = variant === "f32" ? files.wideFolder : files.folder;
  const model = await loadModel(folder, { device, threads, ...quantizeOption(variant) });
  const prepared = await prepareDecoding(task, settingsOf(model.device, variant), (prompt, count) =>
    continuation(model, prompt, count),
  );
  return { ...prepared, dispose: () => model.dispose() };
}

/** Makes kedge ready for a task. */
export function contender(): Contender {
  let prepared: { ready: Ready; round(): Promise<number>; dispose(): Promise<void> } | undefined;
  return {
    async prepare(task) {
      if (task.work === "first-token") prepared = await firstToken("bench/comparison/first-token-kedge.mjs", task);
      else if (task.work === "script-size") prepared = await scriptSize(task.variant);
      else if (/^(gemm|row)/.test(task.work)) prepared = await prepareOperation(task);
      else prepared = await prepareModel(task, isOnGpu(task) ? "webgpu" : "wasm");
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => prepared?.dispose(),
  };
}
