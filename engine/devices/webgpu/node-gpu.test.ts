// What becomes of a driver that ends the process that asks it: the package `webgpu` is replaced by one that does so.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unpackedFolder } from "../../../bench/software-gpu/unpacked.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let folder: string;
let swiftshader: string;

beforeAll(async () => {
  swiftshader = await unpackedFolder("swiftshader", ["swiftshader"]); // for its libvulkan.so.1
  folder = mkdtempSync(join(tmpdir(), "kedge-driver-"));
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
  mkdirSync(join(folder, "node_modules", "webgpu"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "webgpu") symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `auto` is on a machine whose package `webgpu` has this text. */
function chosenWith(webgpu: string): unknown {
  writeFileSync(join(folder, "node_modules", "webgpu", "package.json"), `{ "type": "module", "main": "index.js" }`);
  writeFileSync(join(folder, "node_modules", "webgpu", "index.js"), webgpu);
  const script = `import { chooseDevice } from "./dist/devices.js"; console.log(JSON.stringify(await chooseDevice()));`;
  writeFileSync(join(folder, "choose.mjs"), script);
  const env = { ...process.env, LD_LIBRARY_PATH: swiftshader };
  const { stdout, stderr } = spawnSync(process.execPath, ["choose.mjs"], { cwd: folder, env, encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

test("a driver that crashes leaves wasm, and a reason", () => {
  const reason = expect.stringContaining(
    "the graphics driver ended the process that asked for one (SIGSEGV)",
  ) as string;
  expect(chosenWith(`export const create = () => process.kill(process.pid, "SIGSEGV");`)).toEqual({
    name: "wasm",
    reason,
  });
});

test("a package that cannot be loaded leaves wasm, and says what to do", () => {
  const reason = expect.stringContaining(
    'needs the package "webgpu", which cannot be loaded here: npm install webgpu',
  ) as string;
  expect(chosenWith(`throw new Error("no such symbol");`)).toEqual({ name: "wasm", reason });
});

test("a hardware adapter is taken by its answer alone", () => {
  const info = `{ vendor: "acme", architecture: "a1", device: "", description: "Acme A1", isFallbackAdapter: false }`;
  const adapter = `{ info: ${info}, features: new Set(["subgroups"]), limits: { maxBufferSize: 1 } }`;
  const gpu = `{ requestAdapter: async () => (${adapter}), wgslLanguageFeatures: new Set() }`;
  expect(chosenWith(`export const create = () => (console.error("a warning"), ${gpu});`)).toEqual({
    name: "webgpu",
    reason: "there is a GPU: Acme A1",
  });
});
