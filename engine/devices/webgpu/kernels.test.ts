// Every WGSL implementation of every kernel, in every shape of its table and every format that it reads, against the f64
// reference on the software adapter that KEDGE_TEST_ADAPTER names. Nothing beside the outputs may be written.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import type { Kernel, Sample, WgslImplementation } from "../../../kernels/index.ts";
import { kernelShapes } from "../../../kernels/shapes.ts";
import { makeTrial, seededRandom } from "../../../kernels/trial.ts";
import { softwareGpu, testAdapterName } from "../../../tests/support/adapters.ts";
import { trialsFor } from "../choose.ts";
import { runTrial } from "../self-test.ts";
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

async function runAll(kernel: Kernel, implementation: WgslImplementation, shapes: readonly Sample[]) {
  const format = implementation.formats?.[0] ?? "f32";
  const wrong: string[] = [];
  let right = 0;
  for (let begin = 0; begin < shapes.length; begin += BATCH) {
    const batch = shapes.slice(begin, begin + BATCH).map(async (sample, i) => {
      const trial = makeTrial(kernel, sample, seededRandom(begin + i), { format });
      const outcome = await runTrial(device, trial, implementation);
      if (outcome === null) right++;
      else if (outcome !== "not made for this") wrong.push(JSON.stringify([sample, outcome]));
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
      ({ kernel, implementation }) =>
        trialsFor(kernel, implementation, traits, implementation.formats?.[0] ?? "f32").length === 0,
    );
    expect(untried.map(({ name }) => name)).toEqual([]);
  });
});
