// A model is loaded once without its numbers, onto a device that holds none, so that a device which cannot run every program is
// asked before any weight is read.

import { UnsupportedError, type ModelConfig, type Checkpoint } from "../../loaders/index.ts";
import type { Device, Matrix, Tensor } from "../devices/device.ts";
import { openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import type { Program } from "../devices/program.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { loadWeights } from "./weights.ts";

/** A device that holds and computes nothing, and remembers which programs it was to run. */
class BlankDevice implements Device {
  readonly name = "reference";
  readonly description = "no device: for looking at programs";
  readonly preferredRows = 1;
  readonly demotions = [];
  readonly programs: Program[] = [];

  createTensor(...[label, type, length, role, packing]: Parameters<Device["createTensor"]>): Tensor {
    return { label, type, length, role, packing };
  }
  resize(tensor: Tensor, length: number): void {
    (tensor as { length: number }).length = length;
  }
  destroy(): void {}
  createMatrix(source: Parameters<Device["createMatrix"]>[0]): Promise<Matrix> {
    const { label, rows, columns, format, quantize } = source;
    return Promise.resolve({ label, rows, columns, format: quantize ?? format, byteLength: 0 });
  }
  write(): void {}
  read(): Promise<Float32Array> {
    return Promise.resolve(new Float32Array());
  }
  implementationsOf() {
    return [];
  }
  prepare(program: Program) {
    this.programs.push(program);
    return Promise.resolve({ program, chosen: [], dispose: () => undefined });
  }
  run(): Promise<Float32Array[]> {
    return Promise.resolve([]);
  }
  memory() {
    return { weights: 0, cache: 0, activations: 0 };
  }
  dispose(): Promise<void> {
    return Promise.resolve();
  }
}

/** The checkpoint, but every number is 0 and nothing is read. */
function withoutNumbers(checkpoint: Checkpoint): Checkpoint {
  return {
    tensors: checkpoint.tensors,
    files: checkpoint.files,
    metadata: checkpoint.metadata,
    totalByteLength: checkpoint.totalByteLength,
    readBytes: () => Promise.resolve(new Uint8Array()),
    readSpan: () => Promise.resolve(new Uint8Array()),
    readTensor: (name) => {
      const { shape } = checkpoint.tensors.get(name)!;
      return Promise.resolve({
        dtype: "F32",
        shape,
        values: new Float32Array(shape.reduce((product, size) => product * size, 1)),
      });
    },
    close: () => Promise.resolve(),
  };
}

/** What a model is loaded with. */
interface Plans {
  readonly checkpoint: Checkpoint;
  readonly config: ModelConfig;
  readonly weightOptions: Parameters<typeof loadWeights>[3];
  readonly engineOptions: EngineOptions;
}

/** Throws an UnsupportedError that says why the device cannot run a model; reads no weights. */
async function rehearse(device: Device, plans: Plans): Promise<void> {
  if (!device.refusal) return;
  const { checkpoint, config, weightOptions, engineOptions } = plans;
  const blank = new BlankDevice();
  const { weights } = await loadWeights(blank, withoutNumbers(checkpoint), config, weightOptions);
  const engine = await Engine.create(blank, config, weights, engineOptions);
  engine.dispose();
  for (const program of blank.programs) {
    const refusal = device.refusal(program);
    if (refusal !== null) throw new UnsupportedError(`device "${device.name}" cannot run this model: ${refusal}`);
  }
}

/** The device if it can run the model. One that cannot, but was taken by `auto`, is disposed of, and wasm takes its place. */
export async function fitFor(
  device: Device,
  plans: Plans,
  choice: Device | DeviceChoice | undefined,
  options: DeviceOptions,
): Promise<Device> {
  try {
    await rehearse(device, plans);
    return device;
  } catch (error) {
    const isOurChoice = choice === undefined || choice === "auto";
    if (!isOurChoice || !(error instanceof UnsupportedError)) throw error;
    await device.dispose();
    return openDevice("wasm", options);
  }
}
