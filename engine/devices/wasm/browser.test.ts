// The wasm device in a real browser, through a user's bundler: with shared memory on a page that is cross-origin isolated,
// and with one thread, saying so, on one that is not.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, pageResult, servePage } from "../../../tests/support/browser.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** Runs matrices in one memory and in several, and a crash; what it leaves must be the same everywhere. */
const app = /* js */ `
  import { openDevice, ProgramBuilder } from "kedge/devices";
  import { linear, selectRows } from "kedge/kernels";
  const square = { inputs: 256, outputs: 256, outputBegin: 0, outputStride: 256, activation: 0, softcap: 0 };
  const chain = async (wasm) => {
    const device = await openDevice("wasm", { threads: 2, wasm });
    const builder = new ProgramBuilder("chain");
    const [x, y] = [0, 1].map(() => device.createTensor("x", "f32", 256, "activations"));
    for (let i = 0; i < 10; i++) {
      const data = Float32Array.from({ length: 65536 }, (_, j) => ((i + j) % 13) / 50);
      const read = async (begin, end) => new Uint8Array(data.slice(begin * 256, end * 256).buffer);
      const weight = await device.createMatrix({ label: "m", rows: 256, columns: 256, format: "f32", read });
      const buffers = { x: i % 2 ? y : x, weight, bias: undefined, residual: undefined, y: i % 2 ? x : y };
      builder.call(linear, "m" + i, buffers, { rows: 1, ...square });
    }
    const writes = [{ tensor: x, data: new Float32Array(256).fill(1) }];
    const program = await device.prepare(builder.build());
    const [got] = await device.run(program, { variables: {}, writes, reads: [{ tensor: x, begin: 0, end: 256 }] });
    const { activations } = device.memory();
    await device.dispose();
    return { got: [...got], activations };
  };
  const [one, several] = [await chain({}), await chain({ linearMemoryBytes: 3 * 2 ** 20 })];
  const isSame = one.got[0] > 0 && one.got.every((value, i) => value === several.got[i]);
  const isSpread = several.activations > one.activations * 2;
  const device = await openDevice("wasm", { threads: 2 });
  const weights = Float32Array.from({ length: 20 * 16 }, (_, i) => (i % 7) - 3);
  const read = async (begin, end) => new Uint8Array(weights.slice(begin * 16, end * 16).buffer);
  const weight = await device.createMatrix({ label: "w", rows: 20, columns: 16, format: "f32", read });
  const tensor = (type, length) => device.createTensor("t", type, length, "activations");
  const [x, y, indices] = [tensor("f32", 6 * 16), tensor("f32", 6 * 20), tensor("u32", 1)];
  device.write({ tensor: x, data: Float32Array.from({ length: 6 * 16 }, (_, i) => i % 5) });
  const builder = new ProgramBuilder("page");
  const params = { inputs: 16, outputs: 20, outputBegin: 0, outputStride: 20, activation: 0, softcap: 0 };
  builder.call(linear, "many", { x, weight, bias: undefined, residual: undefined, y }, { rows: 6, ...params });
  builder.call(selectRows, "wild", { x, indices, y }, { rows: 1, dim: 16, sourceRows: 1 });
  const program = await device.prepare(builder.build());
  const reads = [{ tensor: y, begin: 0, end: 120 }];
  const [got] = await device.run(program, { variables: {}, end: 1, reads });
  const sum = got.reduce((a, b) => a + b, 0);
  device.write({ tensor: indices, data: Uint32Array.of(2 ** 25) });
  const error = await device.run(program, { variables: {} }).catch((caught) => caught);
  const { description, demotions } = device;
  await device.dispose();
  globalThis.result = { description, demotions, isSame, isSpread, sum, lost: error.kind, message: error.message };`;

describe("the wasm device in a browser", () => {
  let folder: string;
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(join(root, ".cache"), { recursive: true });
    folder = mkdtempSync(join(root, ".cache/wasm-page-"));
    writeFileSync(join(folder, "index.html"), `<!doctype html><script type="module" src="/app.js"></script>`);
    writeFileSync(join(folder, "app.js"), app);
    const alias = [
      { find: /^kedge\/devices$/, replacement: join(root, "dist/devices.js") },
      { find: /^kedge\/kernels$/, replacement: join(root, "dist/kernels.js") },
    ];
    const outDir = join(folder, "built");
    const target = "es2023";
    await build({ configFile: false, logLevel: "error", root: folder, resolve: { alias }, build: { outDir, target } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const weights = Float32Array.from({ length: 20 * 16 }, (_, i) => (i % 7) - 3);
  let sum = 0;
  for (let row = 0; row < 6; row++) {
    weights.forEach((weight, i) => (sum += weight * ((row * 16 + (i % 16)) % 5)));
  }

  it.each([
    [true, "wasm, 2 threads, relaxed SIMD"],
    [false, "wasm, 1 thread, relaxed SIMD, one thread because this page is not cross-origin isolated"],
  ])("computes, and says what it is (cross-origin isolated: %s)", async (isolated, description) => {
    const server = await servePage(join(folder, "built"), { isolated });
    try {
      const result = (await pageResult(browser, server.url)) as Record<string, unknown>;
      expect(result).toMatchObject({ description, demotions: [], isSame: true, isSpread: true, sum, lost: "lost" });
      expect(result["message"]).toContain("wild (select-rows): memory access out of bounds");
      expect(server.requests.filter((line) => line.includes(".wasm"))).toHaveLength(1);
    } finally {
      await server.close();
    }
  });
});
