// What `npm pack` makes: programs run from it, the README's among them, projects compile with it, and its documents lead to files that
// are in it. projects.test.ts tries it with bundlers, other runtimes and other compilers.

import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selfContained } from "../../build/types.mjs";
import { describeDeclarations, describeNode } from "../support/programs.ts";
import { openWorkshop, run, type Workshop } from "../support/projects.ts";

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
});

const workshopOf = (): Workshop => workshop;
describeDeclarations("typescript", workshopOf, false);
describeNode("this Node", () => process.execPath, workshopOf, false);
