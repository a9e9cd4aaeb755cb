// kedge from its packed tarball, in every way that a program outside of browsers is started. Each generates text with the model
// in the package, on wasm, with two threads.

import { join } from "node:path";
import { loadModel } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFullExtent } from "../support/extent.ts";
import { openWorkshop, openWorkshopWithTools, run, type Workshop } from "../support/projects.ts";

const PROMPT = "/**\n * Find the longest word.\n */\nfunction pick(words) {\n";
const body = /* js */ `
  const model = await loadModel("kedge-js-5m", { device: "wasm", threads: 2 });
  const { text } = await model.complete(${JSON.stringify(PROMPT)}, { maxTokens: 24 });
  const { description } = model.device;
  await model.dispose();`;
const print = "console.log(JSON.stringify({ text, description }));";
const esm = `import { loadModel } from "kedge";${body}\n${print}`;
const cjs = `const { loadModel } = require("kedge");\n(async () => {${body}\n${print}\n})();`;

let workshop: Workshop;
let text: string;

/** Runs a command in a project of its own and expects the text, computed by two threads. */
async function expectText(
  files: Readonly<Record<string, string>>,
  command: string,
  args: readonly string[],
  input?: string,
): Promise<void> {
  const cwd = workshop.project(`program-${Math.random().toString(36).slice(2)}`, { "package.json": "{}", ...files });
  const { stdout, stderr } = await run(command, args, { cwd, ...(input === undefined ? {} : { input }) });
  expect(stderr).toBe("");
  const found = JSON.parse(stdout) as { text: string; description: string };
  expect(found.text).toBe(text);
  expect(found.description).toContain("wasm, 2 threads");
}

beforeAll(async () => {
  workshop = await (isFullExtent ? openWorkshopWithTools() : openWorkshop());
  const model = await loadModel("models/kedge-js-5m", { device: "wasm", threads: 1 });
  ({ text } = await model.complete(PROMPT, { maxTokens: 24 }));
  await model.dispose();
  expect(text).toContain("return words.reduce(");
}, 240_000);
afterAll(() => workshop?.remove());

/** The programs of Node: those of the README's promise, and what else is at hand. */
const nodes = [
  { name: `Node ${process.versions.node}`, path: () => process.execPath },
  ...["node-22", "node-24"]
    .filter(() => isFullExtent)
    .map((name) => ({ name, path: () => join(workshop.folder, "node_modules", name, "bin", "node") })),
];

describe.each(nodes)("$name", ({ path }) => {
  const node = (files: Readonly<Record<string, string>>, args: readonly string[], input?: string) =>
    expectText(files, path(), args, input);
  const inFull = test.runIf(isFullExtent);

  test("an ES module", () => node({ "main.mjs": esm }, ["main.mjs"]));
  test("a CommonJS module", () => node({ "main.cjs": cjs }, ["--disable-warning=ExperimentalWarning", "main.cjs"]));
  test("--input-type=module -e", () => node({}, ["--input-type=module", "-e", esm]));
  inFull("-e with CommonJS", () => node({}, ["--disable-warning=ExperimentalWarning", "-e", cjs]));
  test("a module on stdin", () => node({}, ["--input-type=module"], esm));
  inFull("a module on stdin, named -", () => node({}, ["--input-type=module", "-"], esm));
  inFull("a script on stdin", () => node({}, ["--disable-warning=ExperimentalWarning"], cjs));
  inFull("a module with preloaded modules", () =>
    node({ "main.mjs": esm, "before.mjs": `globalThis.before = 1;` }, ["--import", "./before.mjs", "main.mjs"]),
  );
  test("a worker thread", () =>
    node(
      {
        "main.mjs": `import { Worker } from "node:worker_threads";
          new Worker(new URL("worker.mjs", import.meta.url)).on("message", (found) => console.log(JSON.stringify(found)));`,
        "worker.mjs": `import { parentPort } from "node:worker_threads";${esm.replace(print, "parentPort.postMessage({ text, description });")}`,
      },
      ["main.mjs"],
    ));
  inFull("options in NODE_OPTIONS", async () => {
    const cwd = workshop.project("node-options", { "package.json": "{}" });
    const { stdout } = await run(path(), ["-e", esm], { cwd, env: { NODE_OPTIONS: "--input-type=module" } });
    expect(JSON.parse(stdout)).toMatchObject({ text });
  });
});

type Files = Readonly<Record<string, string>>;
const tool = (path: string) => join(workshop.folder, "node_modules", path);
const typed = (program: string) => program.replace("const model", 'const model: import("kedge").Model');
const bun = (files: Files, args: readonly string[]) => expectText(files, tool("@oven/bun-linux-x64/bin/bun"), args);
const permissions = ["--allow-read", "--allow-env", "--allow-sys"];
const deno = (files: Files, main: string, input?: string) =>
  expectText(files, tool("@deno/linux-x64-glibc/deno"), ["run", ...permissions, main], input);
const tsx = (files: Files, main: string) => expectText(files, process.execPath, [tool("tsx/dist/cli.mjs"), main]);

describe.runIf(isFullExtent)("other runtimes (full extent)", () => {
  test("Bun, an ES module", () => bun({ "main.mjs": esm }, ["main.mjs"]));
  test("Bun, a CommonJS module", () => bun({ "main.cjs": cjs }, ["main.cjs"]));
  test("Bun, -e", () => bun({}, ["-e", esm]));
  test("Deno", () => deno({ "main.mjs": esm }, "main.mjs"));
  test("Deno, a script on stdin", () => deno({}, "-", esm));
  test("tsx, an ES module", () => tsx({ "main.mts": typed(esm) }, "main.mts"));
  test("tsx, a CommonJS module", () => tsx({ "main.cts": typed(cjs) }, "main.cts"));
});
