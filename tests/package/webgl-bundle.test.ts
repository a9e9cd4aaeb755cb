// gpu.js is large and few need it: it must be in no entry point's static graph, neither in dist/ nor in what a user's bundler
// makes of it. And what a bundler makes of the shaders in dist/ must still be right.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SelfTestResult } from "kedge/devices";
import { gpuImplementations } from "kedge/kernels";
import type { Browser } from "playwright-core";
import { build, parseSync } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bindingsOf } from "../../engine/devices/webgpu/bindings.ts";
import { launchBrowser, pageResult, servePage, type PageServer } from "../support/browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");
/** Text that stands in every build of gpu.js, minified or not, and nowhere else. */
const MARK = "highFloatPrecision";

/** The declarations that the device puts before each shader, by implementation. */
const bindings = Object.fromEntries(
  [...gpuImplementations].flatMap(([kernel, own]) => own.map((one) => [one.name, bindingsOf(kernel, one)])),
);

/** A page that answers, for `?webgl`, with a self-test and, for `?webgpu`, with what a compiler says of each shader. */
const APP = /* js */ `
  import { loadModel } from "kedge";
  import { openDevice, selfTest } from "kedge/devices";
  import { gpuImplementations } from "kedge/kernels";
  globalThis.loadModel = loadModel;
  const bindings = ${JSON.stringify(bindings)};
  const answers = {
    "?webgl": async () => selfTest(await openDevice("webgl")),
    "?webgpu": async () => {
      const adapter = await navigator.gpu.requestAdapter();
      const hasHalves = adapter.features.has("shader-f16");
      const device = await adapter.requestDevice({ requiredFeatures: hasHalves ? ["subgroups", "shader-f16"] : ["subgroups"] });
      const shaders = [...gpuImplementations.values()].flat();
      return Promise.all(
        shaders.map(async ({ name, wgsl: text, requires }) => {
          const wgsl = typeof text === "string" ? text : await text(); // shaders that few programs run are loaded on demand
          const unchecked = "diagnostic(off, subgroup_uniformity);";
          const isF16 = requires.includes("f16");
          const code = (isF16 ? "enable f16;" : "") + (requires.includes("subgroups") ? "enable subgroups;" + unchecked : "") + bindings[name] + wgsl;
          // SwiftShader has no halves; lavapipe compiles these in the kernels' tests
          const { messages } = isF16 && !hasHalves ? { messages: [] } : await device.createShaderModule({ code }).getCompilationInfo();
          const errors = messages.filter(({ type }) => type === "error").map(({ message }) => message);
          if (wgsl.includes("//")) errors.push("it has a comment, up to the end of its one line");
          return { name, errors };
        }),
      );
    },
  };
  answers[location.search]?.().then((found) => (globalThis.result = found));
`;

/** The files that one is loaded with, itself included, and the packages that they import. */
function staticGraph(folder: string, entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    const { module } = parseSync(file, readFileSync(join(folder, file), "utf8"));
    const requests = [
      ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
      ...module.staticExports.flatMap(({ entries }) =>
        entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])),
      ),
    ];
    for (const request of requests) {
      if (request.startsWith("./")) files.add(request.slice(2));
      else packages.add(request);
    }
  }
  return { files, packages };
}

const scripts = (folder: string) => readdirSync(folder).filter((file) => file.endsWith(".js"));
const textOf = (folder: string, file: string) => readFileSync(join(folder, file), "utf8");

let folder: string;
beforeAll(() => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["build/build.mjs"], { cwd: root, encoding: "utf8" });
  expect(status, stdout + stderr).toBe(0);
  mkdirSync(join(root, ".cache"), { recursive: true });
  folder = mkdtempSync(join(root, ".cache/webgl-bundle-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("in dist/ one lazy chunk imports gpu.js by its name, and nothing contains it", () => {
  const entries = scripts(dist).filter((file) => !file.startsWith("chunk-"));
  expect(entries).toEqual(expect.arrayContaining(["index.js", "kernels.js", "loaders.js", "cli.js"]));
  const asking = scripts(dist).filter((file) => /import\(\s*["']gpu\.js["']\s*\)/.test(textOf(dist, file)));
  expect(asking).toHaveLength(1);
  for (const entry of entries) {
    const { files, packages } = staticGraph(dist, entry);
    expect([...files], entry).not.toContain(asking[0]);
    expect([...packages], entry).not.toContain("gpu.js");
  }
  expect(scripts(dist).filter((file) => textOf(dist, file).includes(MARK))).toEqual([]);
});

test("a user's bundler puts gpu.js into a chunk that the page does not load by itself", async () => {
  writeFileSync(join(folder, "index.html"), `<!doctype html><script type="module" src="/app.js"></script>`);
  writeFileSync(join(folder, "app.js"), APP);
  const outDir = join(folder, "built");
  await build({
    configFile: false,
    logLevel: "error",
    root: folder,
    resolve: {
      alias: {
        "kedge/devices": join(dist, "devices.js"),
        "kedge/kernels": join(dist, "kernels.js"),
        kedge: join(dist, "index.js"),
      },
    },
    build: { outDir, target: "es2023", chunkSizeWarningLimit: 4096 },
  });
  const assets = join(outDir, "assets");
  const holding = scripts(assets).filter((file) => textOf(assets, file).includes(MARK));
  expect(holding).toHaveLength(1);
  const [, entry] = /src="\/assets\/([^"]+)"/.exec(textOf(outDir, "index.html")) ?? [];
  const { files } = staticGraph(assets, entry!);
  expect(files.size).toBeGreaterThan(0);
  expect([...files]).not.toContain(holding[0]);
}, 60_000);

describe("what is shipped", () => {
  let server: PageServer;
  let browser: Browser;
  beforeAll(async () => {
    server = await servePage(join(folder, "built"), { isolated: true });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test("gives right answers on webgl", async () => {
    const found = (await pageResult(browser, `${server.url}?webgl`)) as SelfTestResult[];
    expect(found.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
    expect(found.filter(({ right }) => right > 0).length).toBeGreaterThan(15);
  });

  test("are shaders that a browser compiles", async () => {
    const found = (await pageResult(browser, `${server.url}?webgpu`)) as { name: string; errors: string[] }[];
    expect(found.filter(({ errors }) => errors.length > 0)).toEqual([]);
    expect(found.length).toBeGreaterThan(50);
  });
});
