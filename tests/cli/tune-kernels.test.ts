// kedge tune-kernels: what it times, keeps, lists and forgets; never how fast anything is.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeptChoices, KernelTuning } from "kedge/timing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { kedge } from "../support/command.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-tune-kernels-"));
const file = join(folder, "kept", "choices.json");

beforeAll(async () => {
  for (const [name, blob] of tinyFiles()) writeFileSync(join(folder, name), new Uint8Array(await blob.arrayBuffer()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const now = performance.now.bind(performance);
beforeEach(() => {
  vi.stubEnv("KEDGE_KERNEL_CHOICES", file);
  vi.spyOn(performance, "now").mockImplementation(() => now() / 10); // the quick form's second is long enough anywhere
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

type Report = KeptChoices & {
  readonly tuned: readonly (KernelTuning & { readonly model: string; readonly device: string })[];
};

const quick = ["tune-kernels", folder, "--device", "wasm", "--threads", "2", "--quick"];

test("times, keeps, lists and forgets", async () => {
  const { code, stdout } = await kedge([...quick, "--json"]);
  const { place, records, tuned } = JSON.parse(stdout) as Report;
  expect([code, place]).toEqual([0, file]);
  expect(tuned).toMatchObject([{ model: folder, device: "wasm" }]);
  const { choices } = tuned[0]!;
  expect(choices.map(({ rows }) => rows)).toContain(1);
  for (const { call, implementation, seconds, presetSeconds } of choices) {
    expect(implementation.split(".")[0]).toBe(call.split(" ")[0]);
    expect(seconds).toBeLessThanOrEqual(presetSeconds);
  }
  expect(records).toMatchObject([{ identity: { device: "wasm", threads: 2 }, isApproximate: false, choices }]);
  expect((JSON.parse(readFileSync(file, "utf8")) as KeptChoices).records).toEqual(records);

  const listed = await kedge(["tune-kernels", "--list"]);
  expect(listed.stdout).toMatch(/^wasm, processor .*, threads 2, relaxed (true|false), kedge \d/m);
  expect(listed.stdout).toContain("1 row");
  expect(listed.code).toBe(0);

  const forgotten = await kedge(["tune-kernels", "--reset", "--json"]);
  expect(JSON.parse(forgotten.stdout)).toEqual({ place: file, records: [], tuned: [] });
  expect((await kedge(["tune-kernels", "--list"])).stdout).toBe(`nothing is kept in ${file}\n`);
});

test("tells people what was timed, and where it is kept", async () => {
  const { code, stdout, stderr } = await kedge(quick);
  expect(stdout).toMatch(/^wasm, 2 threads, .*: \d+ choices? timed in .*; (the preset|\d+ better)/m);
  expect(stderr).toContain(`kept in ${file}`);
  expect(code).toBe(0);
});

test("a broken file is ignored with one sentence, and replaced", async () => {
  writeFileSync(file, `{"format":1,`);
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { code } = await kedge(quick);
  expect(warned.mock.calls.flat()).toEqual([expect.stringContaining(`${file} is ignored: `)]);
  expect((JSON.parse(readFileSync(file, "utf8")) as KeptChoices).records).toHaveLength(1);
  expect(code).toBe(0);
});

test("says where nothing can be kept, and refuses devices that do not choose by measuring", async () => {
  vi.stubEnv("KEDGE_KERNEL_CHOICES", "off");
  expect((await kedge(["tune-kernels", "--list"])).stdout).toBe("nothing is kept\n");
  const { code, stderr } = await kedge(["tune-kernels", "--device", "reference"]);
  expect([code, stderr]).toEqual([2, `kedge: --device is "reference": wanted wasm, webgpu or all\n`]);
});
