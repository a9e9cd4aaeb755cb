// What `npm pack` makes: the README's programs run from it, and its documents lead to files that are in it.

import { existsSync, readdirSync, readFileSync, symlinkSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selfContained } from "../../build/types.mjs";
import { isFullExtent } from "../support/extent.ts";
import { openWorkshop, openWorkshopWithTools, run, type Workshop } from "../support/projects.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly repository: { readonly url: string };
  readonly keywords: readonly string[];
}
const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

let workshop: Workshop;
let kedge: string;
beforeAll(async () => {
  workshop = await openWorkshop();
  kedge = join(workshop.folder, "node_modules", "kedge");
}, 60_000);
afterAll(() => workshop?.remove());

describe("the README's programs", () => {
  const text = readFileSync(join(root, "README.md"), "utf8");
  const programs = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, program = ""]) => program);

  test("are two, and the second says where its model is", () => {
    expect(programs).toHaveLength(2);
    expect(text.slice(0, text.indexOf(programs[1]!)).trimEnd()).toMatch(/needs a clone.*\n\n```ts$/);
  });

  test("run: the first with nothing but the package", async () => {
    const cwd = workshop.project("first", { "package.json": "{}", "first.mjs": programs[0]! });
    const { stdout } = await run(process.execPath, ["first.mjs"], { cwd });
    expect(stdout.split("return words.reduce(")).toHaveLength(3); // streamed, and at once
    expect(stdout).toMatch(/^0\.\d+$/m); // a weight of attention
  });

  test("run: the second beside the folder models/ of a clone", async () => {
    const cwd = workshop.project("second", { "package.json": "{}", "second.mjs": programs[1]! });
    symlinkSync(join(root, "models"), join(cwd, "models"));
    const { stdout } = await run(process.execPath, ["second.mjs"], { cwd });
    expect(stdout).toMatch(/return nums\.filter/);
    expect(stdout).toMatch(/\blive: \d+/);
  });
});

describe("the tarball", () => {
  test("has every file that its documents link to", () => {
    const documents = readdirSync(kedge, { recursive: true })
      .map(String)
      .filter((file) => file.endsWith(".md"));
    expect(documents).toEqual(expect.arrayContaining(["README.md", "CHANGELOG.md", "docs/guide/README.md"]));
    const lost = documents.flatMap((file) =>
      [...readFileSync(join(kedge, file), "utf8").matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
        .map(([, link = ""]) => link)
        .filter((link) => !/^https?:/.test(link) && !existsSync(join(kedge, dirname(file), link)))
        .map((link) => `${file}: ${link}`),
    );
    expect(lost).toEqual([]);
  });

  test("has no tests, and of models/ one model only", () => {
    const files = readdirSync(kedge, { recursive: true }).map(String);
    expect(files.filter((file) => file.includes(".test."))).toEqual([]);
    expect(readdirSync(join(kedge, "models"))).toEqual(["README.md", "kedge-js-5m"]);
  });

  test("says what it is about and where it comes from", () => {
    const { repository, keywords } = manifestOf(kedge);
    expect(repository.url).toMatch(/^git\+https:\/\/.*\/kedge\.git$/);
    expect(keywords).toEqual(expect.arrayContaining(["transformer", "webgpu", "webassembly"]));
  });

  test("is tried with the dependencies that it has", () => {
    expect(manifestOf(join(root, "tests", "package", "projects")).dependencies).toEqual(manifestOf(root).dependencies);
  });
});

describe("the declarations", () => {
  test("need no newer library than a program names, nor WebGPU's types", () => {
    expect(selfContained("// GPUQueue\nexport type A = GPU | GPUDevice;\n")).toBe(
      "type GPU = typeof globalThis extends { GPU: { prototype: infer Own } } ? Own : object;\n" +
        "type GPUDevice = typeof globalThis extends { GPUDevice: { prototype: infer Own } } ? Own : object;\n" +
        "// GPUQueue\nexport type A = GPU | GPUDevice;\n",
    );
    expect(selfContained("interface A { [Symbol.dispose](): void }\n")).toMatch(/^\/\/\/ <reference lib=/);
    expect(selfContained("export type A = 1;\n")).toBe("export type A = 1;\n");
  });

  const names = ["kedge", "kedge/attention", "kedge/devices", "kedge/kernels", "kedge/loaders", "kedge/timing"];
  const imports = names.map((name, i) => `import * as m${i} from "${name}";\nexport { m${i} };\n`).join("");
  const ownDevice = `import { openDevice } from "kedge/devices";
    export const open = (device: GPUDevice) => openDevice("webgpu", { webgpu: { device } });
    // @ts-expect-error -- a number is no device
    export const wrong = openDevice("webgpu", { webgpu: { device: 1 } });\n`;
  /** `lib` and `types` of a page's project and of one for Node; neither skips the check of declarations. */
  const settings = {
    "a page, newest library": { types: [], lib: ["es2024", "dom", "esnext.disposable"] },
    "a page, default library": { types: [] },
    Node: { types: ["node"], lib: ["es2023"] },
  };

  const compilers = isFullExtent ? ["typescript", "typescript-5"] : ["typescript"];
  describe.each(compilers)("of %s", (compiler) => {
    let tools: Workshop;
    beforeAll(async () => {
      tools = isFullExtent ? await openWorkshopWithTools() : workshop;
      if (isFullExtent) return;
      mkdirSync(join(workshop.folder, "node_modules", "@types"), { recursive: true });
      for (const name of ["typescript", "@types/node"])
        symlinkSync(join(root, "node_modules", name), join(workshop.folder, "node_modules", name));
    }, 240_000);
    afterAll(() => {
      if (isFullExtent) tools?.remove();
    });

    const cases = ["node16", "nodenext", "bundler"].flatMap((resolution) =>
      Object.entries(settings).map(([name, options]) => ({ resolution, name, options })),
    );
    test.each(isFullExtent ? cases : cases.filter((_, i) => i % 4 === 0))(
      "compile in a project for $name that resolves like $resolution",
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
        const cwd = tools.project(`types-${resolution}-${name.replaceAll(/\W+/g, "-")}`, {
          "package.json": `{ "type": "module" }`,
          "tsconfig.json": JSON.stringify({ compilerOptions, files: ["main.ts"] }),
          "main.ts": imports + (knowsGpu ? ownDevice : ""),
        });
        const tsc = join(tools.folder, "node_modules", compiler, "bin", "tsc");
        expect(await run(process.execPath, [tsc, "-p", "."], { cwd })).toEqual({ stdout: "", stderr: "" });
      },
    );
  });
});
