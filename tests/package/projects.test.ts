// kedge from its packed tarball in fresh projects of every bundler, without a setting that is about kedge. What each builds or serves
// is opened in a browser and generates text with the model in the package, on wasm: with two threads in a page that is
// cross-origin isolated, with one otherwise. The same for runtimes and
// compilers. Full extent only: npm test bundles and opens one page (bundle.test.ts), and runs Node (tarball.test.ts).

import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { launchBrowser, pageResult, servePage } from "../support/browser.ts";
import { isFullExtent } from "../support/extent.ts";
import {
  bundled,
  commonJs,
  describeDeclarations,
  describeNode,
  esModule,
  expectedText,
  expectPrinted,
  expectText,
  pageScript,
  type Files,
} from "../support/programs.ts";
import { openWorkshopWithTools, run, startServer, type Workshop } from "../support/projects.ts";

const html = (script: string): string =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${script}</body>`;
const page = html(`<script type="module" src="/app.js"></script>`);

vi.setConfig({ testTimeout: 180_000 }); // webpack minifies for a minute on a busy machine

let workshop: Workshop;
let browser: Browser;
let text: string;
beforeAll(async () => {
  if (!isFullExtent) return;
  workshop = await openWorkshopWithTools();
  browser = await launchBrowser();
  text = await expectedText();
}, 240_000);
afterAll(async () => {
  await browser?.close();
  workshop?.remove();
});

const ONE_THREAD = "one thread because this page is not cross-origin isolated";

/** Opens a page and expects the text. */
async function expectPage(url: string, description: string): Promise<void> {
  expect(await pageResult(browser, url)).toEqual({ text, description: expect.stringContaining(description) });
}

/** Puts the model where the page looks for it. */
function addModel(folder: string): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(workshop.folder, "node_modules/kedge/models/kedge-js-5m"), join(folder, "kedge-js-5m"), {
    recursive: true,
  });
}

/** Serves a folder with and without the headers of isolation, and expects the text both times. */
async function expectTextFrom(folder: string): Promise<void> {
  addModel(folder);
  for (const isolated of [true, false]) {
    const server = await servePage(folder, { isolated });
    try {
      await expectPage(server.url, isolated ? "wasm, 2 threads" : ONE_THREAD);
    } finally {
      await server.close();
    }
  }
}

const node = (cwd: string, ...args: readonly string[]) => run(process.execPath, args, { cwd });
const tool = (path: string): string => join(workshop.folder, "node_modules", path);

describe.runIf(isFullExtent)("a page", () => {
  test.each(["vite", "vite-7"])("of %s's dev server", async (name) => {
    const folder = workshop.project(`${name}-dev`, { "package.json": "{}", "index.html": page, "app.js": pageScript });
    addModel(join(folder, "public"));
    const address = ["--host", "127.0.0.1", "--port", "5180"];
    const server = await startServer(process.execPath, [tool(`${name}/bin/vite.js`), ...address], folder);
    try {
      await expectPage(server.url, ONE_THREAD);
    } finally {
      await server.close();
    }
  });

  test.each(["vite", "vite-7"])("built by %s", async (name) => {
    const folder = workshop.project(`${name}-build`, {
      "package.json": "{}",
      "index.html": page,
      "app.js": pageScript,
    });
    await node(folder, tool(`${name}/bin/vite.js`), "build");
    await expectTextFrom(join(folder, "dist"));
  });

  test.each(["development", "production"])("built by webpack for %s", async (mode) => {
    const build = `
      const config = { mode: "${mode}", context: __dirname, entry: "./app.js" };
      require("webpack")(config, (error, stats) => {
        console.log(error ?? stats.toString());
        process.exitCode = error || stats.hasErrors() ? 1 : 0;
      });`;
    const files = { "package.json": "{}", "app.js": pageScript, "build.js": build };
    const folder = workshop.project(`webpack-${mode}`, files);
    await node(folder, "build.js");
    writeFileSync(join(folder, "dist/index.html"), html(`<script src="main.js"></script>`));
    await expectTextFrom(join(folder, "dist"));
  });

  test.each([
    ["in chunks", ["--format=esm", "--splitting", "--outdir=out"]],
    ["in one module", ["--format=esm", "--outfile=out/app.js"]],
    ["in one classic script", ["--minify", "--outfile=out/app.js"]],
  ])("built by esbuild, %s", async (name, options) => {
    const folder = workshop.project(`esbuild ${name}`, { "package.json": "{}", "app.js": pageScript });
    await run(tool(".bin/esbuild"), ["app.js", "--bundle", ...options], { cwd: folder });
    const script = name.includes("classic") ? `<script src="app.js"></script>` : page;
    writeFileSync(join(folder, "out/index.html"), html(script));
    await expectTextFrom(join(folder, "out"));
  });

  test("built by Rollup", async () => {
    const folder = workshop.project("rollup", { "package.json": "{}", "app.js": pageScript });
    await run(tool(".bin/rollup"), ["app.js", "-d", "out", "-p", "node-resolve"], { cwd: folder });
    writeFileSync(join(folder, "out/index.html"), page);
    await expectTextFrom(join(folder, "out"));
  });

  test("built by Bun", async () => {
    const folder = workshop.project("bun", { "package.json": "{}", "app.js": pageScript });
    await run(tool("@oven/bun-linux-x64/bin/bun"), ["build", "app.js", "--outdir", "out"], { cwd: folder });
    writeFileSync(join(folder, "out/index.html"), page);
    await expectTextFrom(join(folder, "out"));
  });

  test("without a bundler, by an import map, with the model in node_modules", async () => {
    const map = JSON.stringify({ imports: { kedge: "/node_modules/kedge/dist/index.js" } });
    const script = `<script type="importmap">${map}</script><script type="module">${pageScript}</script>`;
    for (const isolated of [true, false]) {
      const server = await servePage(workshop.folder, { isolated, files: { "/index.html": html(script) } });
      try {
        await expectPage(server.url, isolated ? "wasm, 2 threads" : ONE_THREAD);
      } finally {
        await server.close();
      }
    }
  });

  test("with kedge on another server", async () => {
    const other = await servePage(workshop.folder);
    const script = pageScript.replace(`"kedge"`, `"${other.url}node_modules/kedge/dist/index.js"`);
    const server = await servePage("/nowhere", {
      files: { "/index.html": html(`<script type="module">${script}</script>`) },
    });
    try {
      await expectPage(server.url, ONE_THREAD);
    } finally {
      await server.close();
      await other.close();
    }
  });

  test("of Next.js, a client component of the app router", async () => {
    const component = `"use client";
      import { useEffect, useState } from "react";
      import { loadModel } from "kedge";
      export default function Home() {
        const [shown, show] = useState("");
        useEffect(() => {
          ${pageScript.replace(/^import.*$/m, "")}
        }, []);
        return <main>{shown}{typeof loadModel}</main>;
      }`;
    const layout = `export default function Layout({ children }) {
      return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;
    }`;
    const folder = workshop.project("next", {
      "package.json": `{ "private": true }`,
      "app/layout.jsx": layout,
      "app/page.jsx": component,
    });
    addModel(join(folder, "public"));
    const next = tool("next/dist/bin/next");
    await run(process.execPath, [next, "build"], { cwd: folder, env: { NEXT_TELEMETRY_DISABLED: "1" } });
    const address = ["-H", "127.0.0.1", "-p", "5190"];
    const server = await startServer(process.execPath, [next, "start", ...address], folder);
    try {
      await expectPage(server.url, ONE_THREAD);
    } finally {
      await server.close();
    }
  });
});

describe.runIf(isFullExtent)("a program for Node", () => {
  test.each([
    ["esm", "out.mjs"],
    ["cjs", "out.cjs"],
  ])("bundled by esbuild as %s", async (format, file) => {
    const folder = workshop.project(`esbuild-node-${format}`, {
      "package.json": "{}",
      "app.js": bundled,
    });
    const options = ["--bundle", "--platform=node", `--format=${format}`, `--outfile=out/${file}`];
    await run(tool(".bin/esbuild"), ["app.js", ...options], { cwd: folder });
    const { stdout } = await node(folder, `out/${file}`);
    await expectPrinted(stdout);
  });

  test("bundled by webpack", async () => {
    const build = `
      const config = { mode: "development", target: "node", context: __dirname, entry: "./app.js" };
      require("webpack")(config, (error, stats) => {
        console.log(error ?? stats.toString());
        process.exitCode = error || stats.hasErrors() ? 1 : 0;
      });`;
    const folder = workshop.project("webpack-node", { "package.json": "{}", "app.js": bundled, "build.js": build });
    await node(folder, "build.js");
    const { stdout } = await node(folder, "dist/main.js");
    await expectPrinted(stdout);
  });
});

if (isFullExtent) {
  const workshopOf = (): Workshop => workshop;
  describeNode("this Node", () => process.execPath, workshopOf, true);
  for (const name of ["node-22", "node-24"]) describeNode(name, () => tool(`${name}/bin/node`), workshopOf, true);
  for (const name of ["typescript", "typescript-5"]) describeDeclarations(name, workshopOf, true);
}

const typed = (program: string) => program.replace("const model", 'const model: import("kedge").Model');
const bun = (files: Files, args: readonly string[]) =>
  expectText(workshop, files, tool("@oven/bun-linux-x64/bin/bun"), args);
const permissions = ["--allow-read", "--allow-env", "--allow-sys"];
const deno = (files: Files, main: string, input?: string) =>
  expectText(workshop, files, tool("@deno/linux-x64-glibc/deno"), ["run", ...permissions, main], input);
const tsx = (files: Files, main: string) =>
  expectText(workshop, files, process.execPath, [tool("tsx/dist/cli.mjs"), main]);

describe.runIf(isFullExtent)("other runtimes", () => {
  test("Bun, an ES module", () => bun({ "main.mjs": esModule }, ["main.mjs"]));
  test("Bun, a CommonJS module", () => bun({ "main.cjs": commonJs }, ["main.cjs"]));
  test("Bun, -e", () => bun({}, ["-e", esModule]));
  test("Deno", () => deno({ "main.mjs": esModule }, "main.mjs"));
  test("Deno, a script on stdin", () => deno({}, "-", esModule));
  test("tsx, an ES module", () => tsx({ "main.mts": typed(esModule) }, "main.mts"));
  test("tsx, a CommonJS module", () => tsx({ "main.ts": typed(bundled) }, "main.ts"));
});
