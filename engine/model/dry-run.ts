// Dry run: records a model's programs without its weights, on a device that computes nothing, so that the real device can refuse
// them before any weight is read or downloaded.

import { UnsupportedError, type Checkpoint, type ModelConfig } from "../../loaders/index.ts";
import type { Device, Matrix, Tensor } from "../devices/device.ts";
import { openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import type { Program } from "../devices/program.ts";
import { Steps, type StepsOptions } from "./steps.ts";
import { findWeights, PlacedWeights, type ModelWeights, type WeightOptions } from "./weights.ts";

/** A device that holds and computes nothing, and remembers the programs that it was to prepare. */
class DryRunDevice implements Device {
  readonly name = "reference";
  readonly description = "dry run";
  readonly preferredRows = 1;
  readonly demotions = [];
  readonly programs: Program[] = [];

  createTensor(...[label, type, length, role, { packing } = {}]: Parameters<Device["createTensor"]>): Tensor {
    return { label, type, length, role, packing };
  }
  resize(tensor: Tensor, length: number): void {
    (tensor as { length: number }).length = length;
  }
  destroy(): void {}
  createMatrix({ label, rows, columns, format, quantize }: Parameters<Device["createMatrix"]>[0]): Promise<Matrix> {
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

/** The inputs of loading a model. */
interface LoadPlan {
  readonly checkpoint: Checkpoint;
  readonly config: ModelConfig;
  readonly weightOptions: WeightOptions;
  readonly stepsOptions: StepsOptions;
}

/** The weights by name, format and shape only. */
async function weightsWithoutNumbers(device: DryRunDevice, plan: LoadPlan): Promise<ModelWeights> {
  const { checkpoint, config, weightOptions } = plan;
  const placed = new PlacedWeights();
  for (const weight of findWeights(checkpoint, config, weightOptions).weights) {
    const { spec } = weight;
    if (weight.kind === "matrix") placed.addMatrix(weight.spec, await device.createMatrix(weight.source));
    else placed.addVector(weight.spec, device.createTensor(spec.label, "f32", weight.spec.deviceLength, "weights"));
  }
  return placed.assemble(config);
}

/** Throws an UnsupportedError that says why the device cannot run a model; reads no weights. */
async function refuseUnfit(device: Device, plan: LoadPlan): Promise<void> {
  if (!device.refusal) return;
  const recorder = new DryRunDevice();
  const weights = await weightsWithoutNumbers(recorder, plan);
  const steps = await Steps.create(recorder, plan.config, weights, plan.stepsOptions);
  steps.dispose();
  for (const program of recorder.programs) {
    const refusal = device.refusal(program);
    if (refusal !== null) throw new UnsupportedError(`device "${device.name}" cannot run this model: ${refusal}`);
  }
}

/**
 * Does the dry run and returns the device to load the model on: `device`, or wasm in place of one that cannot run the model but
 * was taken by `auto`, which is disposed of. Throws an UnsupportedError for a device of the caller's that cannot run it.
 */
export async function dryRun(
  device: Device,
  plan: LoadPlan,
  choice: Device | DeviceChoice | undefined,
  options: DeviceOptions,
): Promise<Device> {
  try {
    await refuseUnfit(device, plan);
    return device;
  } catch (error) {
    const isOurChoice = choice === undefined || choice === "auto";
    if (!isOurChoice || !(error instanceof UnsupportedError)) throw error;
    await device.dispose();
    return openDevice("wasm", options);
  }
}
