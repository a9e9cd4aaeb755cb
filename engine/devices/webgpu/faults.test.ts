// What happens when an implementation is wrong, and when the GPU goes away or has no room.

import { beforeAll, describe, expect, test, vi } from "vitest";
import { softwareGpu } from "../../../tests/support/adapters.ts";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import { add, type Kernel, type WgslImplementation } from "../../../kernels/index.ts";
import { textOf } from "./pipelines.ts";
import { probeWebGpu } from "./probe.ts";
import { adding, all, errorOf, numbers, open, tensorOf } from "../../../tests/support/webgpu.ts";
import { openWebGpu, type WebGpuDevice } from "./webgpu-device.ts";

let device: WebGpuDevice;
beforeAll(async () => {
  device = await open();
});

const own = (kernel: Kernel) => gpuImplementations.get(kernel) ?? [];
const wrongAdd = (name: string, code: string): WgslImplementation => {
  return { ...own(add)[0]!, name, wgsl: code };
};
const rightCode = await textOf(own(add)[0]!);
const planted = (one: WgslImplementation) => (kernel: Kernel) => (kernel === add ? [one, ...own(kernel)] : own(kernel));

async function ownGpuDevice(): Promise<GPUDevice> {
  const adapter = await (await softwareGpu()).requestAdapter();
  return adapter!.requestDevice({ requiredFeatures: adapter!.features.has("subgroups") ? ["subgroups"] : [] });
}

describe("implementations that are wrong", () => {
  test("are demoted with a warning, and the next one is used", async () => {
    const wrong = wrongAdd("add.wrong", rightCode.replace("a[place] + b[place]", "a[place] - b[place]"));
    const one = await open({ implementations: planted(wrong) });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    const executable = await one.prepare(adding(x, x, y));
    expect(executable.chosen).toEqual([["add"]]);
    expect(one.demotions).toEqual([
      { implementation: "add.wrong", reason: expect.stringMatching(/^y\[0\] of its known-answer test is .+, not .+/) },
    ]);
    expect(console.warn).toHaveBeenCalledTimes(1);
    expect(console.warn).toHaveBeenCalledWith(expect.stringContaining("add.wrong is wrong on"));
    await one.prepare(adding(x, x, y));
    expect(console.warn).toHaveBeenCalledTimes(1);
  });

  test("are not demoted when their text cannot be loaded, and are loaded again at the next try", async () => {
    const texts = [() => Promise.reject(new TypeError("the network is away")), () => Promise.resolve(rightCode)];
    const late = { ...own(add)[0]!, name: "add.late", wgsl: () => texts.shift()!() };
    const one = await open({ implementations: planted(late) });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    await expect(one.prepare(adding(x, x, y))).rejects.toThrow("the network is away");
    expect((await one.prepare(adding(x, x, y))).chosen).toEqual([["add.late"]]);
    expect(one.demotions).toEqual([]);
  });

  test("are demoted when they write beyond their output", async () => {
    const wrong = wrongAdd(
      "add.beyond",
      rightCode.replace("if (place < params.rows * params.dim)", "if (place < 80u)"),
    );
    const one = await open({ implementations: planted(wrong) });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    expect((await one.prepare(adding(x, x, y))).chosen).toEqual([["add"]]);
  });

  test("are demoted when they do not compile, with the line that is wrong", async () => {
    const wrong = wrongAdd("add.broken", rightCode.replace("a[place] + b[place]", "a[place] + c[place]"));
    const one = await open({ implementations: planted(wrong) });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    expect((await one.prepare(adding(x, x, y))).chosen).toEqual([["add"]]);
    const line = rightCode.split("\n").findIndex((text) => text.includes("b[place]")) + 1;
    expect(one.demotions[0]!.reason).toMatch(
      new RegExp(`^add.broken: line ${line}: .*unresolved value 'c'.* in \`.*c\\[place\\]`),
    );
  });

  test("leave an error that says why when none is right", async () => {
    const wrong = wrongAdd("add.wrong", rightCode.replace("a[place] + b[place]", "a[place]"));
    const one = await open({ implementations: (kernel) => (kernel === add ? [wrong] : own(kernel)) });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    const error = await errorOf(one.prepare(adding(x, x, y)));
    expect(error.kind).toBe("unfit");
    expect(error.message).toMatch(
      /^blocks\.0\.add: no implementation of add fits here; add\.wrong is not used: y\[0\]/,
    );
  });

  test("are left out beforehand where their order of summation varies and the device is deterministic", async () => {
    const varying = { ...wrongAdd("add.varying", rightCode), isApproximate: true };
    const one = await open({ implementations: planted(varying), deterministic: true });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    expect((await one.prepare(adding(x, x, y))).chosen).toEqual([["add"]]);
    const other = await open({ implementations: planted(varying) });
    const [u, v] = [tensorOf(other, numbers(4)), other.createTensor("y", "f32", 4, "activations")];
    expect((await other.prepare(adding(u, u, v))).chosen).toEqual([["add.varying"]]);
  });

  test("that suit another kind of adapter come after the others, and are used where there is nothing else", async () => {
    const forHardware = { ...wrongAdd("add.hardware", rightCode), suits: "hardware" as const };
    const forSoftware = { ...wrongAdd("add.software", rightCode), suits: "software" as const };
    for (const [given, chosen] of [
      [[forHardware, forSoftware], "add.software"],
      [[forHardware], "add.hardware"],
    ] as const) {
      const one = await open({ implementations: () => given });
      const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
      expect((await one.prepare(adding(x, x, y))).chosen).toEqual([[chosen]]);
    }
  });
});

describe("a device that ends", () => {
  test("by loss rejects what is pending and everything after, and another can be opened", async () => {
    const gpuDevice = await ownGpuDevice();
    const one = await open({ device: gpuDevice });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    const executable = await one.prepare(adding(x, x, y));
    const pending = [one.run(executable, { variables: { rows: 1 }, reads: [all(y)] }), one.read(all(x))];
    gpuDevice.destroy();
    const errors = await Promise.all(pending.map((promise) => errorOf(promise)));
    expect(errors.map(({ kind }) => kind)).toEqual(["lost", "lost"]);
    expect(errors[0]!.message).toMatch(/^the GPU device is lost: /);
    await vi.waitFor(() => expect(() => one.createTensor("t", "f32", 4, "activations")).toThrow("is lost"));
    expect((await errorOf(one.prepare(adding(x, x, y)))).kind).toBe("lost");

    const another = await open();
    expect(await another.read(all(tensorOf(another, numbers(4))))).toEqual(numbers(4));
  });

  test("by dispose rejects what is pending, frees everything, and leaves the caller's GPUDevice alone", async () => {
    const gpuDevice = await ownGpuDevice();
    const one = await openWebGpu({ device: gpuDevice });
    const x = tensorOf(one, numbers(4));
    const pending = one.read(all(x));
    await one.dispose();
    expect((await errorOf(pending)).kind).toBe("disposed");
    expect(() => one.write({ tensor: x, data: numbers(1) })).toThrow("the device is disposed");
    expect((await errorOf(one.read(all(x)))).kind).toBe("disposed");
    expect(one.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
    const still = gpuDevice.createBuffer({ size: 16, usage: 1 | 8 });
    await still.mapAsync(1);
    still.destroy();
    gpuDevice.destroy();
  });

  test("an error of the GPU itself rejects what is pending, and the device goes on", async () => {
    const gpuDevice = await ownGpuDevice();
    const one = await open({ device: gpuDevice });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    const executable = await one.prepare(adding(x, x, y));
    const pending = one.run(executable, { variables: { rows: 1 }, reads: [all(y)] });
    gpuDevice.createBuffer({ size: 4, usage: 0 }); // a validation error
    const error = await errorOf(pending);
    expect([error.kind, error.message]).toEqual(["failed", expect.stringContaining("the GPU reports an error: ")]);
    const [array] = await one.run(executable, { variables: { rows: 1 }, reads: [all(y)] });
    expect(array).toEqual(numbers(4).map((value) => 2 * value));
    await one.dispose();
    gpuDevice.destroy();
  });

  test("memory that the adapter turns out not to have rejects runs until its tensor is destroyed", async () => {
    const gpuDevice = await ownGpuDevice();
    const one = await open({ device: gpuDevice });
    const [x, y] = [tensorOf(one, numbers(4)), one.createTensor("y", "f32", 4, "activations")];
    const executable = await one.prepare(adding(x, x, y));
    class GPUOutOfMemoryError extends Error {}
    const pop = vi.spyOn(gpuDevice, "popErrorScope");
    pop.mockResolvedValueOnce(null).mockResolvedValueOnce(new GPUOutOfMemoryError("no room") as GPUError);
    const roomless = one.createTensor("blocks.1.cache", "f32", 1000, "cache");
    pop.mockRestore();
    await vi.waitFor(async () => {
      const error = await errorOf(one.run(executable, { variables: { rows: 1 } }));
      expect(error.kind).toBe("out-of-memory");
      expect(error.message).toBe('tensor "blocks.1.cache" of 4000 bytes: no room');
    });
    expect((await errorOf(one.run(executable, { variables: { rows: 1 } }))).kind).toBe("out-of-memory");
    one.destroy(roomless);
    await one.run(executable, { variables: { rows: 1 } });
    await one.dispose();
    gpuDevice.destroy();
  });
});

describe("opening", () => {
  test("describes the adapter, and refuses a software one where it is not wanted", async () => {
    expect(device.description).toMatch(/^webgpu, .*\(software\), subgroups of \d+$/);
    expect(device.facts.isSoftware).toBe(true);
    await expect(open({ allowSoftware: false })).rejects.toThrow(/^the only GPU adapter is .*: use device "wasm"$/);
  });

  test("finds Dawn through the package `webgpu` in Node", async () => {
    await softwareGpu(); // makes the software driver known to the process
    expect(await probeWebGpu()).toMatchObject({ isAvailable: true, isSoftware: true });
  });

  test("says what is missing where there is no adapter", async () => {
    const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(openWebGpu({ gpu })).rejects.toThrow("WebGPU finds no GPU adapter here");
    expect(await probeWebGpu({ gpu })).toMatchObject({ isAvailable: false, isSoftware: false });
    expect(await probeWebGpu({ gpu: await softwareGpu() })).toMatchObject({ isAvailable: true, isSoftware: true });
  });
});
