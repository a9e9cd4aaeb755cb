// gpu.js is large and few need it: it must be in no entry point's static graph, neither in dist/ nor in what a user's bundler
// makes of it.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, parseSync } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
/** Text that stands in every build of gpu.js, minified or not, and nowhere else. */
const MARK = "highFloatPrecision";

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
  writeFileSync(join(folder, "app.js"), `import { loadModel } from "kedge"; globalThis.loadModel = loadModel;`);
  const outDir = join(folder, "built");
  await build({
    configFile: false,
    logLevel: "error",
    root: folder,
    resolve: { alias: { kedge: join(dist, "index.js") } },
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
