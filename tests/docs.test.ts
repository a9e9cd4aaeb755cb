// The documents are part of the product: every TypeScript block compiles, every relative link leads somewhere, every command and
// kernel that is named exists.
//
// A block is a module of its own, with two helps: `model` and `device` are there where a block uses them without making them. A
// block marked `ts dom` is for a page and sees the DOM's types; all others see Node's.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { kernels } from "kedge/kernels";
import { describe, expect, test } from "vitest";

const files = [
  "README.md",
  "CHANGELOG.md",
  "models/README.md",
  ...readdirSync("docs", { recursive: true })
    .map((file) => join("docs", String(file)))
    .filter((file) => file.endsWith(".md")),
].sort();

interface Block {
  /** file:line of its first line */
  readonly place: string;
  readonly isForPages: boolean;
  readonly source: string;
}

function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  const lines = readFileSync(file, "utf8").split("\n");
  for (let i = 0; i < lines.length; i++) {
    const [, kind] = /^```ts( dom)?$/.exec(lines[i]!) ?? [];
    if (!/^```ts\b/.test(lines[i]!)) continue;
    const end = lines.indexOf("```", i);
    blocks.push({
      place: `${file}:${i + 2}`,
      isForPages: kind !== undefined,
      source: lines.slice(i + 1, end).join("\n"),
    });
    i = end;
  }
  return blocks;
}

/** The block as a module; one line longer, at its end. */
function moduleOf({ source }: Block): string {
  const given = [
    ["model", "Model"],
    ["device", "Device"],
  ]
    .filter(
      ([name]) =>
        new RegExp(`\\b${name}\\.`).test(source) && !new RegExp(`const ${name}\\b|using ${name}\\b`).test(source),
    )
    .map(([name, type]) => `declare const ${name}: import("kedge").${type};`);
  return `${source}\nexport {}; ${given.join(" ")}\n`;
}

/** What the compiler says of some blocks, each message with its place in the documents. */
function complaints(blocks: readonly Block[]): string[] {
  mkdirSync(".cache", { recursive: true });
  const folder = mkdtempSync(join(".cache", "docs-"));
  try {
    for (const [name, isForPages] of [
      ["node", false],
      ["dom", true],
    ] as const) {
      const options = isForPages
        ? { lib: ["ES2024", "ESNext.Disposable", "DOM", "DOM.Iterable"], types: [], customConditions: [] }
        : {};
      mkdirSync(join(folder, name));
      const tsconfig = {
        extends: "../../../tsconfig.json",
        compilerOptions: { ...options, noUnusedLocals: false, noUnusedParameters: false },
        include: ["*.ts", "../../../build/text-imports.d.ts"],
        exclude: [],
      };
      writeFileSync(join(folder, name, "tsconfig.json"), JSON.stringify(tsconfig));
      for (const [i, block] of blocks.entries()) {
        if (block.isForPages === isForPages) writeFileSync(join(folder, name, `${i}.ts`), moduleOf(block));
      }
    }
    return ["node", "dom"].flatMap((name) => {
      if (readdirSync(join(folder, name)).length === 1) return [];
      const { stdout } = spawnSync("npx", ["tsc", "-p", join(folder, name), "--pretty", "false"], { encoding: "utf8" });
      return [...stdout.matchAll(/^(.*?)\((\d+),\d+\): error (.*)$/gm)].map(([, file = "", line, message]) => {
        const block = blocks[Number(/(\d+)\.ts$/.exec(file)?.[1])];
        if (!block) return `${file}: ${message}`;
        const [document, first] = block.place.split(":");
        return `${document}:${Number(first) + Number(line) - 1}: ${message}`;
      });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The anchors that GitHub gives a document's headings. */
function headingAnchors(file: string): string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** A block that does not compile. */
function planted(isForPages: boolean): Block {
  return { place: "x.md:7", isForPages, source: "const fine = 1;\nmodel.generated(fine);" };
}

describe("the documents", () => {
  const blocks = files.flatMap(blocksOf);

  test("have TypeScript that compiles", { timeout: 60_000 }, () => {
    expect(blocks.length).toBeGreaterThan(15);
    expect(complaints(blocks)).toEqual([]);
  });

  test("compile no nonsense: a planted error is found where it stands", { timeout: 60_000 }, () => {
    expect(complaints([planted(false), planted(true)])).toEqual([
      expect.stringMatching(/^x\.md:8: .*generated/),
      expect.stringMatching(/^x\.md:8: .*generated/),
    ]);
  });

  test("have relative links that lead somewhere", () => {
    let count = 0;
    for (const file of files) {
      for (const [, link = ""] of readFileSync(file, "utf8").matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link)) continue;
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? file : join(dirname(file), path);
        expect(existsSync(target), `${file}: ${link}`).toBe(true);
        if (anchor !== undefined) expect(headingAnchors(target), `${file}: ${link}`).toContain(anchor);
        count++;
      }
    }
    expect(count).toBeGreaterThan(20);
  });

  test("name scripts and verbs that there are", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const verbs = new Set(readdirSync("cli").map((file) => file.replace(/\.ts$/, "")));
    for (const file of files) {
      const text = readFileSync(file, "utf8");
      for (const [, name = ""] of text.matchAll(/npm run ([\w:-]+)/g))
        expect(Object.keys(scripts), file).toContain(name);
      for (const [, verb = ""] of text.matchAll(/npx kedge ([a-z]+)/g)) expect(verbs, file).toContain(verb);
    }
  });

  test("describe every kernel, and no other", () => {
    const text = readFileSync("docs/kernels.md", "utf8");
    const named = [...text.matchAll(/^\| `([a-z-]+)` /gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(kernels.map(({ name }) => name).sort());
    const bounds = readFileSync("docs/numerics.md", "utf8");
    for (const { name } of kernels) expect(bounds, `the bound of ${name}`).toContain(`\`${name}\``);
  });

  test("are all reached from the README", () => {
    const reached = new Set(["README.md", "CHANGELOG.md"]);
    for (const file of reached) {
      if (!file.endsWith(".md")) continue;
      for (const [, link = ""] of readFileSync(file, "utf8").matchAll(/\]\(([^)#\s]+)/g)) {
        if (/^https?:/.test(link)) continue;
        const target = relative(".", join(dirname(file), link)).replace(/\/$/, "");
        if (existsSync(target)) reached.add(target);
      }
    }
    const folders = [...reached].filter((path) => !/\.\w+$/.test(path));
    const isReached = (file: string) =>
      reached.has(file) || folders.includes(dirname(file)) || file.endsWith("/README.md");
    expect(files.filter((file) => !isReached(file))).toEqual([]);
  });
});
