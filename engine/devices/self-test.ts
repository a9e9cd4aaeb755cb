// The known-answer test of every kernel on one device: each sample of each kernel, with each implementation that runs there,
// against the f64 reference. Devices test an implementation when it is first used; this tests all of them, for `kedge doctor`.

import {
  boundOf,
  compare,
  kernels,
  makeTrial,
  seededRandom,
  type Implementation,
  type Trial,
  type Violation,
} from "../../kernels/index.ts";
import { implementationsOn } from "./implementations.ts";
import { DeviceError, type Device, type Matrix, type Tensor } from "./device.ts";
import { ProgramBuilder } from "./program.ts";

/** What became of one implementation. */
export interface SelfTestResult {
  readonly kernel: string;
  readonly implementation: string;
  /** samples that it ran on and got right; those it is not made for do not count */
  readonly right: number;
  readonly wrong: readonly string[];
}

/** Tries every implementation of every kernel on the device. */
export async function selfTest(device: Device, signal?: AbortSignal): Promise<SelfTestResult[]> {
  const results: SelfTestResult[] = [];
  for (const kernel of kernels) {
    for (const implementation of implementationsOn(device, kernel)) {
      const wrong: string[] = [];
      let right = 0;
      for (const [index, sample] of kernel.samples.entries()) {
        signal?.throwIfAborted();
        const trial = makeTrial(kernel, sample, seededRandom(index + 1), {
          format: implementation?.formats?.[0] ?? "f32",
        });
        const violation = await runTrial(device, trial, implementation);
        if (violation === null) right++;
        else if (violation !== "not made for this") wrong.push(`sample ${index}: ${describe(violation)}`);
      }
      results.push({ kernel: kernel.name, implementation: implementation?.name ?? "reference", right, wrong });
    }
  }
  return results;
}

/** Runs one trial with one implementation: null when it is right, and `not made for this` when it does not fit the sample. */
export async function runTrial(
  device: Device,
  trial: Trial,
  implementation?: Implementation,
): Promise<Violation | null | "not made for this"> {
  const { kernel, arrays, matrices, packings, params, wanted } = trial;
  const buffers: Record<string, Tensor | Matrix> = {};
  try {
    for (const [name, array] of Object.entries(arrays)) {
      const type = array instanceof Uint32Array ? "u32" : "f32";
      const tensor = device.createTensor(`trial.${name}`, type, array.length, "activations", packings[name]);
      buffers[name] = tensor;
      device.write({ tensor, data: array });
    }
    for (const [name, { bytes, ...shape }] of Object.entries(matrices)) {
      const rowBytes = bytes.byteLength / shape.rows;
      buffers[name] = await device.createMatrix({
        label: `trial.${name}`,
        ...shape,
        read: (begin, end) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes)),
      });
    }
    const builder = new ProgramBuilder("trial");
    builder.calls.push({ kernel, label: `trial.${kernel.name}`, buffers, params });
    const only = implementation
      ? (_: unknown, candidate: Implementation) => candidate.name === implementation.name
      : undefined;
    const executable = await device.prepare(builder.build(), only ? { only } : {});
    const names = Object.keys(wanted);
    const reads = names.map((name) => {
      const tensor = buffers[name] as Tensor;
      return { tensor, begin: 0, end: tensor.length };
    });
    const read = await device.run(executable, { variables: {}, reads });
    executable.dispose();
    return compare(
      trial,
      Object.fromEntries(names.map((name, i) => [name, read[i]!])),
      boundOf(kernel, implementation, params),
    );
  } catch (error) {
    if (error instanceof DeviceError && error.kind === "unfit") return "not made for this";
    throw error;
  } finally {
    for (const buffer of Object.values(buffers)) device.destroy(buffer);
  }
}

function describe({ buffer, index, got, want }: Violation): string {
  return `${buffer}[${index}] is ${got}, not ${want}`;
}
