// What holds for every kernel in the registry.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  add,
  cacheMove,
  combineRows,
  embed,
  gpuImplementations,
  implementationsOf,
  kernels,
  logSumExp,
  selectRows,
  selectWords,
  tokenLogProb,
  topK,
  webglImplementations,
} from "./every-device.ts";
import { firstGpuImplementations } from "./first-on-gpu.ts";
import type { Kernel } from "./kernel.ts";
import { makeTrial, seededRandom } from "./trial.ts";

/** With webgl the host samples from whole rows of logits, and combines them. */
const ON_HOST: readonly Kernel[] = [topK, logSumExp, combineRows, selectWords];

describe.each(kernels.map((kernel) => ({ name: kernel.name, kernel })))("$name", ({ kernel }) => {
  test("has samples, and sizes for exactly its buffers", () => {
    expect(kernel.samples.length).toBeGreaterThan(0);
    for (const { params } of kernel.samples) {
      expect(Object.keys(params).sort()).toEqual(Object.keys(kernel.params).sort());
      expect(Object.keys(kernel.sizes(params)).sort()).toEqual(Object.keys(kernel.buffers).sort());
    }
  });

  test("gives finite numbers, NaN only by its definition, and the same twice", () => {
    for (const sample of kernel.samples) {
      const [once, twice] = [makeTrial(kernel, sample, seededRandom(1)), makeTrial(kernel, sample, seededRandom(1))];
      expect(once.wanted).toEqual(twice.wanted);
      const hasNaN = Object.values(once.wanted).some((values) => values.some(Number.isNaN));
      if (hasNaN) expect([embed, tokenLogProb, logSumExp, combineRows]).toContain(kernel);
    }
  });

  test("has implementations of its own names for each device", () => {
    const webgl = webglImplementations.get(kernel) ?? [];
    const isOnHost = ON_HOST.includes(kernel);
    expect(webgl.length > 0).toBe(!isOnHost);
    const wasm = kernel.implementations.filter((one) => "wasm" in one);
    const others = kernel.implementations.filter((one) => !("wasm" in one));
    expect(others).toEqual(firstGpuImplementations.has(kernel) ? [] : gpuImplementations.get(kernel));
    for (const ones of [wasm, gpuImplementations.get(kernel) ?? [], webgl]) {
      if (ones === webgl && isOnHost) continue;
      const names = ones.map(({ name }) => name);
      expect(names.length).toBeGreaterThan(0);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name.startsWith(kernel.name)).toBe(true);
    }
  });
});

test("every folder's implementations are in the map of their device", () => {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const withFile = (file: string) =>
    folders.map(({ name }) => name).filter((name) => existsSync(join(import.meta.dirname, name, file)));
  const helping = ["matrix", "cache"]; // folders of what several kernels share
  for (const [file, map] of [
    ["on-gpu.ts", gpuImplementations],
    ["on-webgl.ts", webglImplementations],
  ] as const) {
    const wanted = withFile(file).filter((name) => !helping.includes(name));
    expect([...map.keys()].map(({ name }) => name).sort()).toEqual(wanted.sort());
  }
});

test("all implementations of a kernel are those of its definition and of both maps", () => {
  const kinds = implementationsOf(add).map((one) => ["wasm", "wgsl", "webgl"].find((kind) => kind in one));
  expect(kinds).toEqual(["wasm", "wgsl", "webgl"]);
  const own = { ...add, implementations: [] };
  expect(implementationsOf(own)).toEqual([]);
});

test("add, select-rows and cache-move do what they say", () => {
  const y = new Float64Array(4);
  add.reference({ a: Float64Array.of(1, 2, 3, 4), b: Float64Array.of(10, 20, 30, 40), y }, { rows: 2, dim: 2 });
  expect([...y]).toEqual([11, 22, 33, 44]);
  selectRows.reference(
    { x: Float64Array.of(1, 2, 3, 4), indices: Uint32Array.of(1, 1), y },
    { rows: 2, dim: 2, sourceRows: 2 },
  );
  expect([...y]).toEqual([3, 4, 3, 4]);
  const cache = Float64Array.of(1, 2, 3, 4, 5, 6);
  cacheMove.reference({ moves: Uint32Array.of(2, 0), cache }, { rows: 1, kvHeads: 1, headDim: 1, slotCount: 3 });
  expect([...cache]).toEqual([5, 6, 3, 4, 5, 6]);
});
