// Programs that generate text with kedge, in the ways that Node starts programs, and projects that compile its declarations. Tests of
// the tarball take some of them, and those of the full extent all, with every runtime and compiler.

import { join } from "node:path";
import { loadModel } from "kedge";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { run, type Workshop } from "./projects.ts";

export type Files = Readonly<Record<string, string>>;
/** Gives the workshop once there is one. */
export type WorkshopOf = () => Workshop;

export const PROMPT = "/**\n * Find the longest word.\n */\nfunction pick(words) {\n";
/** Loads the model in the package, generates and keeps `text` and `description`. */
const body = /* js */ `
  const model = await loadModel("kedge-js-5m", { device: "wasm", threads: 2 });
  const { text } = await model.complete(${JSON.stringify(PROMPT)}, { maxTokens: 24 });
  const { description } = model.device;
  await model.dispose();`;
const print = "console.log(JSON.stringify({ text, description }));";
/** A program as an ES module. */
export const esModule = `import { loadModel } from "kedge";${body}\n${print}`;
/** The same in CommonJS. */
export const commonJs = `const { loadModel } = require("kedge");\n(async () => {${body}\n${print}\n})();`;
/** The same for bundlers, whose output may have no `await` outside of functions. */
export const bundled = `import { loadModel } from "kedge";\n(async () => {${body}\n${print}\n})();`;
/** The same for a page: the result is left in `globalThis.result`. */
export const pageScript = bundled
  .replace(print, "globalThis.result = { text, description };")
  .replace(/\}\)\(\);$/, "})().catch((error) => (globalThis.result = { error: String(error) }));");

let expected: Promise<string> | undefined;
/** The text that all of them print: what the sources generate on one thread. */
export function expectedText(): Promise<string> {
  expected ??= (async () => {
    const model = await loadModel("models/kedge-js-5m", { device: "wasm", threads: 1 });
    const { text } = await model.complete(PROMPT, { maxTokens: 24 });
    await model.dispose();
    expect(text).toContain("return words.reduce(");
    return text;
  })();
  return expected;
}

/** Expects that a program printed the text, computed by two threads. */
export async function expectPrinted(stdout: string): Promise<void> {
  const text = await expectedText();
  expect(JSON.parse(stdout)).toEqual({ text, description: expect.stringContaining("wasm, 2 threads") });
}

let count = 0;
/** Runs a command in a project of its own, and expects the text and no warning. */
export async function expectText(
  workshop: Workshop,
  files: Files,
  command: string,
  args: readonly string[],
  input?: string,
): Promise<void> {
  const cwd = workshop.project(`program-${++count}`, { "package.json": "{}", ...files });
  const { stdout, stderr } = await run(command, args, { cwd, ...(input === undefined ? {} : { input }) });
  expect(stderr).toBe("");
  await expectPrinted(stdout);
}

/** Tests of one version of Node; `isWhole` takes every way to start a program. */
export function describeNode(name: string, path: () => string, workshop: WorkshopOf, isWhole: boolean): void {
  const node = (files: Files, args: readonly string[], input?: string) =>
    expectText(workshop(), files, path(), args, input);
  const inFull: typeof test | (() => void) = isWhole ? test : () => undefined;
  const quiet = "--disable-warning=ExperimentalWarning"; // Node 20 says so of `require` of a module
  const worker = esModule.replace(print, "parentPort.postMessage({ text, description });");
  const starter = `import { Worker } from "node:worker_threads";
    new Worker(new URL("worker.mjs", import.meta.url)).on("message", (found) => console.log(JSON.stringify(found)));`;

  describe(`${name} runs`, () => {
    test("an ES module", () => node({ "main.mjs": esModule }, ["main.mjs"]));
    test("a CommonJS module", () => node({ "main.cjs": commonJs }, [quiet, "main.cjs"]));
    test("--input-type=module -e", () => node({}, ["--input-type=module", "-e", esModule]));
    inFull("a module on stdin", () => node({}, ["--input-type=module"], esModule));
    test("a worker thread", () =>
      node({ "main.mjs": starter, "worker.mjs": `import { parentPort } from "node:worker_threads";${worker}` }, [
        "main.mjs",
      ]));
    inFull("-e with CommonJS", () => node({}, [quiet, "-e", commonJs]));
    inFull("a module on stdin, named -", () => node({}, ["--input-type=module", "-"], esModule));
    inFull("a script on stdin", () => node({}, [quiet], commonJs));
    inFull("a module after another that is preloaded", () =>
      node({ "main.mjs": esModule, "before.mjs": "globalThis.before = 1;" }, ["--import", "./before.mjs", "main.mjs"]),
    );
    inFull("with options in NODE_OPTIONS", async () => {
      const cwd = workshop().project("node-options", { "package.json": "{}" });
      const { stdout } = await run(path(), ["-e", esModule], { cwd, env: { NODE_OPTIONS: "--input-type=module" } });
      await expectPrinted(stdout);
    });
  });
}

const names = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [path.replace(".", "kedge")],
);
const imports = names.map((name, i) => `import * as m${i} from "${name}";\nexport { m${i} };\n`).join("");
const ownDevice = `import { openDevice } from "kedge/devices";
  export const open = (device: GPUDevice) => openDevice("webgpu", { webgpu: { device } });
  // @ts-expect-error -- a number is no device
  export const wrong = openDevice("webgpu", { webgpu: { device: 1 } });\n`;

/** How projects for pages and for Node are set up; none skips the check of declarations. */
const settings = {
  "a page with the newest library": { types: [], lib: ["es2024", "dom", "esnext.disposable"] },
  "a page with the default library": { types: [] },
  Node: { types: ["node"], lib: ["es2023"] },
};
const projects = ["node16", "nodenext", "bundler"].flatMap((resolution) =>
  Object.entries(settings).map(([name, options]) => ({ resolution, name, options })),
);

/** Tests that a compiler, `typescript` of this repository or another in the workshop, takes the declarations. */
export function describeDeclarations(compiler: string, workshop: WorkshopOf, isWhole: boolean): void {
  describe(`${compiler} compiles`, () => {
    test.each(isWhole ? projects : projects.filter((_, i) => i % 4 === 0))(
      "a project for $name that resolves like $resolution",
      async ({ resolution, name, options }) => {
        const compilerOptions = {
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          target: "es2022",
          module: resolution === "bundler" ? "esnext" : resolution,
          moduleResolution: resolution,
          ...options,
        };
        const knowsGpu = compiler === "typescript" && name !== "Node";
        const cwd = workshop().project(`${compiler}-${resolution}-${name.replaceAll(" ", "-")}`, {
          "package.json": `{ "type": "module" }`,
          "tsconfig.json": JSON.stringify({ compilerOptions, files: ["main.ts"] }),
          "main.ts": imports + (knowsGpu ? ownDevice : ""),
        });
        const tsc = join(workshop().folder, "node_modules", compiler, "bin", "tsc");
        expect(await run(process.execPath, [tsc, "-p", "."], { cwd })).toEqual({ stdout: "", stderr: "" });
      },
    );
  });
}
