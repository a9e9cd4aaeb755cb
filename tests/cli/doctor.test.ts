// kedge doctor: what it says of this machine, of devices that are here and of those that are not.

import { join } from "node:path";
import { kernels } from "kedge/kernels";
import { expect, test } from "vitest";
import { spawned } from "../support/command.ts";

interface Report {
  readonly machine: {
    readonly node: string;
    readonly cores: number;
    readonly wasm: { readonly simd: boolean; readonly threads: boolean; readonly memoryLimit: number };
  };
  readonly webgpu: { readonly isAvailable: boolean; readonly reason?: string };
  readonly auto: { readonly name: string; readonly reason: string };
  readonly devices: readonly {
    readonly device: string;
    readonly description: string;
    readonly isAvailable: boolean;
    readonly ok: boolean;
    readonly kernels: readonly { readonly kernel: string; readonly right: number; readonly wrong: readonly string[] }[];
  }[];
  readonly ok: boolean;
}

// With no Vulkan driver to find: a machine without a GPU, whatever this one has.
const env = { VK_ICD_FILENAMES: join("no", "driver.json"), VK_DRIVER_FILES: join("no", "driver.json") };

test("a machine without a GPU is told so in a sentence, which is no failure", async () => {
  const { code, stdout } = await spawned(["doctor", "--json"], { env });
  const report = JSON.parse(stdout) as Report;
  expect(report.webgpu).toMatchObject({ isAvailable: false, reason: expect.stringContaining("adapter") });
  expect(report.auto).toEqual({ name: "wasm", reason: report.webgpu.reason });
  const webgpu = report.devices.find(({ device }) => device === "webgpu")!;
  expect(webgpu).toMatchObject({ isAvailable: false, ok: true, description: report.webgpu.reason, kernels: [] });
  expect(report.devices.filter(({ ok }) => !ok)).toEqual([]);
  expect([report.ok, code]).toEqual([true, 0]);
});

test("facts of the process, and every kernel on the reference", async () => {
  const report = JSON.parse((await spawned(["doctor", "--json"], { env })).stdout) as Report;
  const { node, cores, wasm } = report.machine;
  expect(node).toBe(process.version);
  expect(cores).toBeGreaterThanOrEqual(1);
  expect(wasm).toMatchObject({ simd: true, threads: true, memoryLimit: 2 ** 32 });
  expect(report.devices.map(({ device }) => device)).toEqual(["reference", "wasm", "webgpu"]);
  const reference = report.devices[0]!;
  expect(reference.ok).toBe(true);
  expect(reference.kernels.map(({ kernel }) => kernel)).toEqual(kernels.map(({ name }) => name));
  for (const { right, wrong } of reference.kernels) {
    expect(right).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  }
});

test("people get a line for each fact and each device", async () => {
  const { stdout } = await spawned(["doctor"], { env });
  expect(stdout).toMatch(/^machine +.+, \d+ cores?, .+B$/m);
  expect(stdout).toMatch(new RegExp(`^node +${process.version.replaceAll(".", "\\.")}, `, "m"));
  expect(stdout).toMatch(/^wasm +SIMD, .*threads, memories to /m);
  expect(stdout).toMatch(/^webgpu +WebGPU finds no GPU adapter/m);
  expect(stdout).toMatch(/^auto +takes wasm: /m);
  expect(stdout).toMatch(
    new RegExp(`^ {2}${kernels.length} kernels in \\d+ implementations right on \\d+ samples, `, "m"),
  );
});
