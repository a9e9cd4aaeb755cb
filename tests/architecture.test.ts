import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { importCycles, LINE_LIMIT, longKernels, type Sources, violations } from "./support/architecture.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folders = ["engine", "kernels", "loaders", "cli", "examples", "bench", "tests"];

/** All sources of the project by path. */
function projectSources(): Sources {
  const paths = folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file))))
    .map((path) => path.split(sep).join("/"))
    .filter((path) => /\.(ts|wgsl|gl\.js)$/.test(path) && !path.includes("node_modules/"));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

describe("the project", () => {
  const sources = projectSources();

  it("keeps the rules of who imports whom", () => {
    expect(Object.keys(sources).length).toBeGreaterThan(20);
    const long = longKernels(sources);
    if (long.length > 0) console.warn(long.join("\n"));
    expect(violations(sources), long.join("\n")).toEqual([]);
  });

  it("has no circular imports", () => {
    expect(importCycles(sources)).toEqual([]);
  });
});

describe("the rules", () => {
  const lawful: Sources = {
    "kernels/index.ts": `export { add } from "./add/add.ts";`,
    "kernels/add/add.ts": `import wgsl from "./add.wgsl?raw"; export const add = { wgsl };`,
    "kernels/add/add.wgsl": `fn main() {}`,
    "kernels/add/add.as.ts": `import { anything } from "../../engine/devices/wasm/assembly/sync";`,
    "kernels/add/add.test.ts": `import { softwareGpu } from "../../tests/support/adapters.ts";`,
    "loaders/index.ts": `import { open } from "node:fs/promises"; export { open };`,
    "engine/index.ts": `export { load } from "./model/model.ts";\nexport type { Device } from "./devices/device.ts";`,
    "engine/model/model.ts": `import { add } from "../../kernels/index.ts"; import { open } from "../../loaders/index.ts";
      export const load = [add, open]; // GPUDevice, "kedge/engine/x.ts"`,
    "engine/devices/device.ts": `export interface Device { readonly name: "GPUDevice" }`,
    "engine/devices/webgpu/buffers.ts": `export const make = (device: GPUDevice): GPUBuffer => device.createBuffer({ size: 4, usage: 1 });`,
    "engine/devices/webgl/gpu-js.ts": `export const load = (gl: WebGL2RenderingContext) => [gl, import("gpu.js")];`,
    "engine/cache/store.ts": `import type { Device } from "../devices/device.ts"; export const slots = (device: Device) => device;`,
    "engine/cache/policies/window.ts": `import { slots } from "../store.ts"; export const keep = slots;`,
    "cli/run.ts": `import { load } from "kedge"; import { add } from "kedge/kernels"; import manifest from "../package.json" with { type: "json" };
      import { print } from "./print.ts"; print(load, add, manifest);`,
    "bench/peers/other.ts": `import "../../engine/index.ts";`,
  };

  it("let lawful sources pass", () => {
    expect(violations(lawful)).toEqual([]);
  });

  it.each<[rule: string, path: string, text: string, breach: string]>([
    ["kernels import the engine", "kernels/a.ts", `import "../engine/index.ts";`, "outside itself"],
    ["kernels import by package name", "kernels/a.ts", `import { load } from "kedge/loaders";`, "outside itself"],
    [
      "loaders import kernels, if only a type",
      "loaders/a.ts",
      `import type { A } from "../kernels/index.ts";`,
      "outside itself",
    ],
    ["loaders import kernels lazily", "loaders/a.ts", `await import("../kernels/index.ts");`, "outside itself"],
    ["engine reaches into kernels", "engine/a.ts", `import "../kernels/add/add.ts";`, "kernels/index.ts and"],
    [
      "engine reaches for a shader",
      "engine/a.ts",
      `import x from "../kernels/add/add.wgsl?raw"; x;`,
      "kernels/index.ts and",
    ],
    [
      "engine re-exports from inside loaders",
      "engine/a.ts",
      `export * from "../loaders/hub.ts";`,
      "kernels/index.ts and",
    ],
    [
      "engine imports a bundle",
      "engine/devices/wasm/a.ts",
      `await import("../../../dist/index.js");`,
      "kernels/index.ts and",
    ],
    ["engine imports a copy", "engine/a.ts", `await import("../dist/embedded-simd.js");`, "kernels/index.ts and"],
    ["engine imports the command line", "engine/a.ts", `import "../cli/run.ts";`, "kernels/index.ts and"],
    ["engine imports itself by name", "engine/a.ts", `import "kedge";`, "kernels/index.ts and"],
    ["cli reaches into the engine", "cli/a.ts", `import { load } from "../engine/index.ts"; load;`, "by name"],
    ["an example names a path in the package", "examples/a.ts", `import "kedge/engine/index.ts";`, "by name"],
    ["the page reaches out", "examples/playground/a.ts", `import "../../dist/index.js";`, "by name"],
    ["a bench imports a type by path", "bench/a.ts", `let x: import("../engine/a.ts").X;`, "by name"],
    [
      "WebGPU's types outside their folder",
      "engine/devices/a.ts",
      `export type A = GPUAdapter;`,
      "mentions GPUAdapter",
    ],
    ["WebGPU's constants outside their folder", "engine/a.ts", `globalThis.GPUBufferUsage;`, "mentions GPUBufferUsage"],
    ["WebGL's types outside their folder", "engine/a.ts", `export type A = WebGL2RenderingContext;`, "mentions WebGL2"],
    ["gpu.js outside the folder of webgl", "kernels/a.ts", `await import("gpu.js");`, "mentions gpu.js"],
    [
      "a policy names a device's type",
      "engine/cache/policies/a.ts",
      `import type { Device } from "../../devices/device.ts";`,
      "pure",
    ],
    ["visibility imports a device", "engine/attention/a.ts", `import "../devices/device.ts";`, "pure"],
    ["the contrast imports a device", "engine/prompt-anchoring/contrast.ts", `import "../devices/device.ts";`, "pure"],
    ["the sampler imports a device", "engine/generate/sampler.ts", `import "../devices/webgpu/buffers.ts";`, "pure"],
    [
      "the public API exports everything",
      "engine/index.ts",
      `export * from "./model/model.ts";`,
      "explicit named exports",
    ],
    ["the public API defines something", "engine/index.ts", `export const a = 1;`, "explicit named exports"],
    ["a file is too long", "engine/a.ts", "//\n".repeat(LINE_LIMIT + 1), `has ${LINE_LIMIT + 1} lines`],
    ["the forward pass is too long", "engine/model/transformer.ts", "//\n".repeat(251), "has 251 lines: 250 at most"],
    ["a shader is too long", "kernels/add/a.wgsl", "//\n".repeat(LINE_LIMIT + 1), `has ${LINE_LIMIT + 1} lines`],
    ["a test is too long", "engine/a.test.ts", "//\n".repeat(LINE_LIMIT + 1), `has ${LINE_LIMIT + 1} lines`],
    ["a file has no subject", "engine/string-utils.ts", "", "no concept"],
    ["a file is in camel case", "engine/keyCache.ts", "", "kebab-case"],
  ])("catch: %s", (_, path, text, breach) => {
    const found = violations({ ...lawful, [path]: text });
    expect(found.join("\n")).toContain(breach);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(path);
  });

  it("catch a device that a policy reaches through another file, and show the way", () => {
    const store = `import { device } from "../devices/device.ts"; export const slots = device;`;
    expect(violations({ ...lawful, "engine/cache/store.ts": store }).join()).toMatch(
      /^engine\/cache\/policies\/window\.ts -> engine\/cache\/store\.ts -> engine\/devices\/device\.ts: /,
    );
  });

  it("find circles of imports: of types, re-exports, lazy imports, AssemblyScript, and a file that imports itself", () => {
    const circles: Sources = {
      "engine/a.ts": `import type { B } from "./b.ts"; export type A = B;`,
      "engine/b.ts": `export { c } from "./c.ts"; export type B = 1;`,
      "engine/c.ts": `export const c = () => import("./a.ts");`,
      "engine/d.ts": `import { a } from "./a.ts"; export const d = a;`,
      "kernels/e.as.ts": `import { f } from "./f.as"; export function e(): void { f(); }`,
      "kernels/f.as.ts": `import { e } from "./e.as";\n@inline export function f(): void { e(); }`,
      "loaders/g.ts": `export * from "./g.ts";`,
      "loaders/h.ts": `// import "./i.ts"`,
      "loaders/i.ts": `import "./h.ts"; import text from "./h.ts?raw"; text;`,
    };
    expect(importCycles(circles)).toEqual([
      ["engine/a.ts", "engine/b.ts", "engine/c.ts"],
      ["kernels/e.as.ts", "kernels/f.as.ts"],
      ["loaders/g.ts"],
    ]);
    expect(importCycles(lawful)).toEqual([]);
  });

  it("let a file of exactly the limit pass", () => {
    expect(violations({ "engine/a.ts": "//\n".repeat(LINE_LIMIT) })).toEqual([]);
  });

  it("mention long kernels, longest first", () => {
    const sources = {
      "kernels/a/a.wgsl": "//\n".repeat(151),
      "kernels/a/a.as.ts": "//\n".repeat(200),
      "kernels/a/a.ts": "//\n".repeat(300),
    };
    expect(longKernels(sources).map((line) => line.split(" ")[0])).toEqual(["kernels/a/a.as.ts", "kernels/a/a.wgsl"]);
  });
});
