// Every WGSL implementation of every kernel, in every shape of its table that it is meant for, against the f64 reference on the
// software adapter that KEDGE_TEST_ADAPTER names. Nothing beyond the outputs may be written, and NaN must come out. Short of the full
// extent an implementation takes one shape in eight, or in 16 where a kernel has many, and the next implementation the next ones.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import type { Kernel, Sample, WgslImplementation } from "../../../kernels/index.ts";
import { trialsWithNaN } from "../../../kernels/not-numbers.ts";
import { kernelShapes } from "../../../kernels/shapes.ts";
import { makeTrial, seededRandom, type Trial } from "../../../kernels/trial.ts";
import { softwareGpu, testAdapterName } from "../../../tests/support/adapters.ts";
import { extentOf } from "../../../tests/support/extent.ts";
import { trialsFor } from "../choose.ts";
import { runTrial } from "../self-test.ts";
import { openWebGpu, type WebGpuDevice } from "./webgpu-device.ts";

/** Trials in flight at a time. */
const BATCH = 24;
/** Trials that are added at a time where too few fit. */
const FEW = 4;
/** A kernel with more implementations than this runs each shape often enough with every 16th. */
const MANY = 10;

const wgslOf = (kernel: Kernel) => gpuImplementations.get(kernel) ?? [];
const formatOf = ({ formats }: WgslImplementation) => formats?.[0] ?? "f32";
/** Implementations of one format come one after the other, so that they can share their trials. */
const cases = kernelShapes.flatMap(({ kernel, shapes }) =>
  wgslOf(kernel)
    .toSorted((a, b) => formatOf(a).localeCompare(formatOf(b)))
    .map((implementation, place) => ({ name: implementation.name, kernel, implementation, shapes, place })),
);

let device: WebGpuDevice;
beforeAll(async () => {
  device = await openWebGpu({ gpu: await softwareGpu() });
});
afterAll(() => device.dispose());

/** Shapes with their places in the table. */
type Shapes = readonly (readonly [number, Sample])[];

/** Trials of one kernel and format by the place of their shapes: data and the reference's answer are made once. */
const made = { of: "", trials: new Map<number, Trial>() };
function trialOf(kernel: Kernel, implementation: WgslImplementation, [index, sample]: Shapes[number]): Trial {
  const format = formatOf(implementation);
  const of = `${kernel.name} ${format}`;
  if (made.of !== of) Object.assign(made, { of, trials: new Map() });
  const trial = made.trials.get(index) ?? makeTrial(kernel, sample, seededRandom(index), { format });
  made.trials.set(index, trial);
  return trial;
}

/** Whether an implementation takes this many rows at all. */
function hasRows({ rows }: WgslImplementation, { params }: Sample): boolean {
  const count = params["rows"]!;
  return count >= (rows?.min ?? 1) && count <= (rows?.max ?? Infinity);
}

async function runAll(kernel: Kernel, implementation: WgslImplementation, shapes: Shapes) {
  const wrong: string[] = [];
  let right = 0;
  for (let begin = 0; begin < shapes.length; begin += BATCH) {
    const batch = shapes.slice(begin, begin + BATCH).map(async ([index, sample]) => {
      const outcome = await runTrial(device, trialOf(kernel, implementation, [index, sample]), implementation);
      if (outcome === null) right++;
      else if (outcome !== "not made for this") wrong.push(JSON.stringify([sample, outcome]));
    });
    await Promise.all(batch);
  }
  return { right, wrong };
}

describe("on the GPU", () => {
  test.each(cases)("$name agrees with the reference", async ({ kernel, implementation, shapes, place }) => {
    const isThere = (name: string) => device.facts.features.includes(name === "f16" ? "shader-f16" : name);
    const meant = [...shapes.entries()].filter(([, sample]) => hasRows(implementation, sample));
    const lacking = implementation.requires.filter((name) => !isThere(name));
    if (lacking.length > 0) {
      expect([testAdapterName(), lacking]).toEqual(["swiftshader", ["f16"]]); // all else both adapters have
      const { right, wrong } = await runAll(kernel, implementation, meant.slice(0, 3));
      expect([right, wrong]).toEqual([0, []]); // refused
      return;
    }
    const taken = extentOf(meant, wgslOf(kernel).length > MANY ? 16 : 8, place);
    let { right, wrong } = await runAll(kernel, implementation, taken);
    // An implementation that fits few shapes is to have three at least.
    const others = meant.filter((one) => !taken.includes(one));
    for (let at = 0; right < 3 && at < others.length; at += FEW) {
      const more = await runAll(kernel, implementation, others.slice(at, at + FEW));
      right += more.right;
      wrong = [...wrong, ...more.wrong];
    }
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(2);
    const broken = trialsWithNaN(kernel, implementation);
    const outcomes = extentOf(broken, broken.length, place).map((trial) => runTrial(device, trial, implementation));
    expect((await Promise.all(outcomes)).filter((one) => one !== "not made for this" && one !== null)).toEqual([]);
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
