import { describe, expect, it } from "vitest";
import { kernels, linear, add, type WgslImplementation } from "../../kernels/index.ts";
import { testDevice, DEVICES } from "../../tests/support/devices.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import type { Device, Executable, Step } from "../devices/device.ts";
import { implementationsOn } from "../devices/implementations.ts";
import { timeKernel } from "./time-kernel.ts";

const plain = { activation: 0, softcap: 0, outputBegin: 0 };
const oneRow = {
  params: { ...plain, rows: 1, inputs: 64, outputs: 24, outputStride: 24 },
  absent: ["bias", "residual"],
};

/** A clock by which every call takes half a millisecond. */
function halfMillisecondCalls(_: unknown, { end = 0 }: Step): Promise<number> {
  return Promise.resolve(end * 0.0005);
}

/** y[i] = `sum`, for each i = id.x. */
const shader = (sum: string) => `
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
      if (id.x < params.rows * params.dim) { y[id.x] = ${sum}; }
    }`;

/** An implementation of `add` with a shader of its own. */
const rival = (name: string, sum: string): WgslImplementation => ({
  name,
  requires: [],
  wgsl: shader(sum),
  workgroups: ({ params }) => [Math.ceil((params["rows"]! * params["dim"]!) / 64)],
});

/** Bytes held once all that was asked for is done. */
async function memoryOf(device: Device) {
  await new Promise((resolve) => setTimeout(resolve, 0));
  return device.memory();
}

/** A device whose clock is the test's: a run takes `fixed` milliseconds, and `each` more for every call. */
class ClockedDevice extends ReferenceDevice {
  now = 0;
  readonly runs: number[] = [];
  readonly fixed: number;
  readonly each: (run: number) => number;

  constructor(fixed: number, each: (run: number) => number) {
    super();
    this.fixed = fixed;
    this.each = each;
  }

  override run(executable: Executable, step: Step) {
    const calls = (step.end ?? executable.program.calls.length) - (step.begin ?? 0);
    if (calls > 0) this.runs.push(calls);
    this.now += this.fixed + calls * this.each(this.runs.length);
    return super.run(executable, { ...step, end: Math.min(calls, 1) });
  }
}

describe("the wall clock", () => {
  it("is divided by the calls of a run, less what an empty run takes", async () => {
    const device = new ClockedDevice(3, () => 0.25);
    const [timing] = await timeKernel(device, linear, oneRow, { rounds: 3, now: () => device.now });
    expect(timing).toMatchObject({ kernel: "linear", implementation: "reference", device: "reference", format: "f32" });
    expect(timing!.timed!.clock).toBe("wall");
    for (const sample of timing!.timed!.samples) expect(sample).toBeCloseTo(0.25e-3, 12);
    expect(timing!.timed!.samples).toHaveLength(3);
    // 0.6 of 20 ms at least, in calls of 0.25 ms
    expect(timing!.timed!.callsPerRun).toBeGreaterThanOrEqual(48);
  });

  it("keeps the spread of the samples", async () => {
    const times = [4, 1, 2];
    const device = new ClockedDevice(0, (run) => times[run % 3]!);
    const options = { rounds: 3, now: () => device.now, secondsPerRun: 1e-6 };
    const [timing] = await timeKernel(device, linear, oneRow, options);
    expect(timing!.timed!.callsPerRun).toBe(1);
    expect([...timing!.timed!.samples].sort()).toEqual([0.001, 0.002, 0.004]);
    expect(timing!.timed!.seconds).toEqual({ least: 0.001, median: 0.002, most: 0.004 });
  });

  it("is taken where a device's own stands still", async () => {
    const device = Object.assign(new ClockedDevice(0, () => 5), { timeRun: () => Promise.resolve(0) });
    const [timing] = await timeKernel(device, linear, oneRow, { rounds: 1, now: () => device.now });
    expect(timing!.timed!).toMatchObject({ clock: "wall", samples: [0.005] });
  });
});

describe("a device's own clock", () => {
  it("is taken where there is one", async () => {
    const device = new ClockedDevice(1, () => 1);
    const clocked = Object.assign(device, { timeRun: halfMillisecondCalls });
    const [timing] = await timeKernel(clocked, linear, oneRow, { rounds: 2, now: () => device.now });
    expect(timing!.timed!.clock).toBe("device");
    for (const sample of timing!.timed!.samples) expect(sample).toBeCloseTo(0.0005, 12);
  });
});

describe("streaming", () => {
  it("walks over as many copies of the matrices as fill so many bytes, all of them in every run", async () => {
    const device = new ClockedDevice(0, () => 1);
    const bytes = 64 * 24 * 4;
    const options = { rounds: 1, now: () => device.now, streamBytes: 2.5 * bytes, secondsPerRun: 0.004 };
    const [timing] = await timeKernel(device, linear, oneRow, options);
    expect(timing!.timed!).toMatchObject({ copies: 3, callsPerRun: 3 });
    expect(await memoryOf(device)).toEqual({ weights: 0, cache: 0, activations: 0 });
  });
});

describe.each(DEVICES)("on %s", (name) => {
  const quick = { rounds: 2, secondsPerRun: 1e-4 };

  it("every implementation that fits is timed and held to the reference", async () => {
    const device = await testDevice(name);
    try {
      const timings = await timeKernel(device, linear, oneRow, { ...quick, format: "int8", streamBytes: 1e4 });
      expect(timings.length).toBeGreaterThan(0);
      for (const { implementation, error, violation, cost, timed } of timings) {
        if (name !== "reference") expect(implementation).toContain("linear");
        expect(violation, implementation).toBeUndefined();
        expect(error!.ofBound, implementation).toBeLessThanOrEqual(1);
        expect(cost).toEqual({ flops: 2 * 64 * 24, bytes: (64 * 24 * 34) / 32 + 4 * (64 + 24) });
        expect(timed!.copies).toBeGreaterThan(1);
        expect(timed!.seconds.least).toBeGreaterThanOrEqual(0);
        expect(timed!.samples).toHaveLength(2);
      }
      expect(await memoryOf(device)).toEqual({ weights: 0, cache: 0, activations: 0 });
    } finally {
      await device.dispose();
    }
  });

  it("every kernel of the registry can be timed", { timeout: 60_000 }, async () => {
    const device = await testDevice(name);
    try {
      for (const kernel of kernels) {
        const timings = await timeKernel(device, kernel, kernel.samples[0]!, { rounds: 1, secondsPerRun: 1e-6 });
        expect(timings.length, kernel.name).toBeGreaterThan(0);
        for (const { failure, cost } of timings) {
          expect(failure, kernel.name).toBeUndefined();
          expect(cost!.bytes, kernel.name).toBeGreaterThan(0);
        }
      }
    } finally {
      await device.dispose();
    }
  });
});

describe("an implementation of somebody else's", () => {
  it("is timed if it is right, and not if it is wrong or does not compile", async () => {
    const device = await testDevice("webgpu");
    try {
      const sample = { params: { rows: 3, dim: 40 } };
      const implementations = [
        ...implementationsOn(device, add).filter((one) => one !== undefined),
        rival("add.rival", "a[id.x] + b[id.x]"),
        rival("add.wrong", "a[id.x] + 1.25 * b[id.x]"),
        rival("add.broken", "a[id.x] +"),
      ];
      const timings = await timeKernel(device, add, sample, { implementations, rounds: 1, secondsPerRun: 1e-5 });
      const names = timings.map(({ implementation, timed }) => [implementation, timed !== undefined]);
      expect(names).toEqual([
        ["add", true],
        ["add.rival", true],
        ["add.wrong", false],
        ["add.broken", false],
      ]);
      expect(timings[2]!.failure).toMatch(/^y\[0\] is .*, not /);
      expect(timings[2]!.error!.ofBound).toBeGreaterThan(1000);
      expect(timings[3]!.failure).toContain("line 3");
    } finally {
      await device.dispose();
    }
  });
});
