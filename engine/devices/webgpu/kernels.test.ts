// Every WGSL implementation of every kernel, in every shape of its table and every format that it reads, against the f64
// reference on the software adapter that KEDGE_TEST_ADAPTER names. Nothing beside the outputs may be written.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import { boundOf, type Kernel, type Sample, type WgslImplementation } from "../../../kernels/index.ts";
import { kernelShapes } from "../../../kernels/shapes.ts";
import { compare, makeTrial, seededRandom, type Trial } from "../../../kernels/trial.ts";
import { softwareGpu, testAdapterName } from "../../../tests/support/adapters.ts";
import { DeviceError, type Matrix, type Tensor } from "../device.ts";
import { trialsFor } from "./choose.ts";
import { openWebGpu, type WebGpuDevice } from "./webgpu-device.ts";

/** Trials in flight at a time. */
const BATCH = 24;

const wgslOf = (kernel: Kernel) => gpuImplementations.get(kernel) ?? [];
const cases = kernelShapes.flatMap(({ kernel, shapes }) =>
  wgslOf(kernel).map((implementation) => ({ name: implementation.name, kernel, implementation, shapes })),
);

let device: WebGpuDevice;
beforeAll(async () => {
  device = await openWebGpu({ gpu: await softwareGpu() });
});
afterAll(() => device.dispose());

/** Runs a trial with one implementation and says what is wrong; undefined where the implementation is not meant for it. */
async function run(trial: Trial, implementation: WgslImplementation): Promise<string | null | undefined> {
  const { kernel, arrays, matrices, packings, params, wanted } = trial;
  const buffers: Record<string, Tensor | Matrix> = {};
  try {
    for (const [name, data] of Object.entries(arrays)) {
      const type = data instanceof Uint32Array ? "u32" : "f32";
      const tensor = device.createTensor(name, type, data.length, "activations", packings[name]);
      buffers[name] = tensor;
      device.write({ tensor, data });
    }
    for (const [name, { bytes, ...shape }] of Object.entries(matrices)) {
      const rowBytes = bytes.byteLength / shape.rows;
      const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes));
      buffers[name] = await device.createMatrix({ label: name, ...shape, read });
    }
    const program = { label: "trial", calls: [{ kernel, label: kernel.name, buffers, params }] };
    const executable = await device.prepare(program, { only: (_call, one) => one === implementation });
    const names = Object.keys(wanted);
    const reads = names.map((name) => ({ tensor: buffers[name] as Tensor, begin: 0, end: arrays[name]!.length }));
    const got = await device.run(executable, { variables: {}, reads });
    executable.dispose();
    const found = compare(
      trial,
      Object.fromEntries(names.map((name, i) => [name, got[i]!])),
      boundOf(kernel, implementation, params),
    );
    return found && `${found.buffer}[${found.index}] is ${found.got}, not ${found.want}`;
  } catch (error) {
    if (error instanceof DeviceError && error.kind === "unfit") return undefined;
    throw error;
  } finally {
    for (const buffer of Object.values(buffers)) device.destroy(buffer);
  }
}

async function runAll(kernel: Kernel, implementation: WgslImplementation, shapes: readonly Sample[]) {
  const format = implementation.formats?.[0] ?? "f32";
  const wrong: string[] = [];
  let right = 0;
  for (let begin = 0; begin < shapes.length; begin += BATCH) {
    const batch = shapes.slice(begin, begin + BATCH).map(async (sample, i) => {
      const outcome = await run(makeTrial(kernel, sample, seededRandom(begin + i), { format }), implementation);
      if (outcome === null) right++;
      else if (outcome !== undefined) wrong.push(`${JSON.stringify(sample)}: ${outcome}`);
    });
    await Promise.all(batch);
  }
  return { right, wrong };
}

describe("on the GPU", () => {
  test.each(cases)("$name agrees with the reference", async ({ kernel, implementation, shapes }) => {
    const isThere = (name: string) => device.facts.features.includes(name === "f16" ? "shader-f16" : name);
    const lacking = implementation.requires.filter((name) => !isThere(name));
    if (lacking.length > 0) {
      expect([testAdapterName(), lacking]).toEqual(["swiftshader", ["f16"]]); // all else both adapters have
      const { right, wrong } = await runAll(kernel, implementation, shapes.slice(0, 3));
      expect([right, wrong]).toEqual([0, []]); // refused
      return;
    }
    const { right, wrong } = await runAll(kernel, implementation, shapes);
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(2);
    expect(device.demotions.filter((one) => one.implementation === implementation.name)).toEqual([]);
  });

  test("every kernel has an implementation, and every implementation a known-answer test", () => {
    expect(kernelShapes.filter(({ kernel }) => wgslOf(kernel).length === 0).map(({ kernel }) => kernel.name)).toEqual(
      [],
    );
    const traits = {
      features: new Set(["subgroups", "packed_4x8_integer_dot_product"]),
      subgroupSize: 4,
      maxWorkgroupSize: 256,
      maxWorkgroupBytes: 16384,
    };
    const untried = cases.filter(
      ({ kernel, implementation }) => trialsFor(kernel, implementation, traits).length === 0,
    );
    expect(untried.map(({ name }) => name)).toEqual([]);
  });
});
