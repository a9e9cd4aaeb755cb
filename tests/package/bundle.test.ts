/**
 * What dist/ holds is what users get: it must run as it is in Node, in a browser, and through a user's own bundler.
 */

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, pageResult, servePage } from "../support/browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { "kedge-source": string; types: string; default: string }>;
};
const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [{ name: path.replace(/^\./, "kedge"), source: target["kedge-source"] }],
);
const missing = entries.filter(({ source }) => !existsSync(join(root, source))).map(({ source }) => source);

/** Runs Node on arguments and returns what it printed; a failure throws with what it printed. */
function node(args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const listNames = entries
  .map(({ name }, i) => `import * as m${i} from ${JSON.stringify(name)};`)
  .concat(
    `const names = { ${entries.map(({ name }, i) => `${JSON.stringify(name)}: Object.keys(m${i}).sort()`).join(", ")} };`,
  )
  .join("\n");

describe.skipIf(missing.length > 0)(`dist/ (skipped while there is no ${missing.join(", ")})`, () => {
  let consumer: string;
  let sourceNames: Record<string, string[]>;

  beforeAll(async () => {
    node(["build/build.mjs"], root);
    consumer = mkdtempSync(join(tmpdir(), "kedge-consumer-"));
    mkdirSync(join(consumer, "node_modules"));
    symlinkSync(root, join(consumer, "node_modules", "kedge"));
    writeFileSync(join(consumer, "package.json"), `{ "name": "consumer", "type": "module" }`);
    sourceNames = {};
    for (const { name, source } of entries) {
      sourceNames[name] = Object.keys((await import(join(root, source))) as object).sort();
    }
  });
  afterAll(() => rmSync(consumer, { recursive: true, force: true }));

  it("exports in Node what the sources export", () => {
    writeFileSync(join(consumer, "names.js"), `${listNames}\nconsole.log(JSON.stringify(names));`);
    expect(JSON.parse(node(["names.js"], consumer))).toEqual(sourceNames);
  });

  it("runs in a browser through a user's bundler, workers and WebAssembly beside it", async () => {
    writeFileSync(join(consumer, "index.html"), `<!doctype html><script type="module" src="/app.js"></script>`);
    const kinds = `["wasm", "wgsl", "webgl"].filter((kind) => implementationsOf(linear).some((one) => kind in one))`;
    const lines = [
      `import { implementationsOf, linear } from "kedge/kernels";`,
      listNames,
      `globalThis.result = { names, kinds: ${kinds} };`,
    ];
    writeFileSync(join(consumer, "app.js"), lines.join("\n"));
    const outDir = join(consumer, "built");
    const shared = { configFile: false, logLevel: "error", root: consumer } as const;
    await build({ ...shared, build: { outDir, target: "es2023" } });
    const engine = readdirSync(join(root, "dist")).filter((file) => file.endsWith(".js"));
    const asked = new Set(
      engine.flatMap((file) => [
        ...readFileSync(join(root, "dist", file), "utf8").matchAll(
          /new URL\(["']\.\/([^"']+)["'], import\.meta\.url\)/g,
        ),
      ]),
    );
    for (const [, file] of asked)
      expect(existsSync(join(root, "dist", file ?? "")), `dist/${file} is asked for`).toBe(true);

    const server = await servePage(outDir, { isolated: true });
    const browser = await launchBrowser();
    try {
      const names = sourceNames;
      expect(await pageResult(browser, server.url)).toEqual({ names, kinds: ["wasm", "wgsl", "webgl"] });
    } finally {
      await browser.close();
      await server.close();
    }
  });

  it("gives kedge/kernels to a browser without any bundler", async () => {
    const script = `import * as kernels from "/dist/kernels.js"; globalThis.result = Object.keys(kernels).sort();`;
    const files = { "/index.html": `<!doctype html><script type="module">${script}</script>` };
    const server = await servePage(root, { files });
    const browser = await launchBrowser();
    try {
      expect(await pageResult(browser, server.url)).toEqual(sourceNames["kedge/kernels"]);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
