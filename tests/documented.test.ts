// Every public export has a doc comment: what an editor shows to whoever types the name.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { undocumented } from "./support/documented.ts";

const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [[subpath, target["kedge-source"].replace("./", "")] as const],
);

describe("public exports", () => {
  it.each(entries)("of %s have a doc comment each", (_, entry) => {
    expect(undocumented(entry, (path) => readFileSync(path, "utf8"))).toEqual([]);
  });
});

function bareNames(files: Readonly<Record<string, string>>): string[] {
  return undocumented("index.ts", (path) => files[path] ?? expect.fail(`${path} was asked for`));
}

describe("the scan", () => {
  it.each<[form: string, text: string]>([
    ["a constant", `const a = 1;`],
    ["a function", `function a() {}`],
    ["an asynchronous function", `async function* a() {}`],
    ["a class", `class a {}`],
    ["an abstract class", `abstract class a {}`],
    ["an interface", `interface a {}`],
    ["a type", `type a = 1;`],
  ])("tells %s with a comment from one without", (_, text) => {
    expect(bareNames({ "index.ts": `export ${text}` })).toEqual(["index.ts: a"]);
    expect(bareNames({ "index.ts": `/** Says what. */\nexport ${text}` })).toEqual([]);
    expect(bareNames({ "index.ts": `/** Says what. */\n${text}\nexport { a };` })).toEqual([]);
    expect(bareNames({ "index.ts": `${text}\nexport { a as b };` })).toEqual(["index.ts: a"]);
  });

  it("takes no comment of another kind, nor one of another declaration", () => {
    expect(bareNames({ "index.ts": `// Says what.\nexport const a = 1;` })).toEqual(["index.ts: a"]);
    expect(bareNames({ "index.ts": `/* Says what. */\nexport const a = 1;` })).toEqual(["index.ts: a"]);
    expect(bareNames({ "index.ts": `/** Of b. */\nconst b = 1;\nexport const a = b;` })).toEqual(["index.ts: a"]);
    expect(bareNames({ "index.ts": `const b = "/** text */";\nexport const a = b;` })).toEqual(["index.ts: a"]);
  });

  it("takes one comment for all overloads, and every name of a list", () => {
    const overloads = `/** Says what. */\nexport function a(x: 1): 1;\nexport function a(x: number) { return x; }`;
    expect(bareNames({ "index.ts": overloads })).toEqual([]);
    expect(bareNames({ "index.ts": `export const a = 1, b = 2;` })).toEqual(["index.ts: a", "index.ts: b"]);
  });

  it("follows names through lists, renames, imports and stars, and leaves those of others alone", () => {
    const files = {
      "index.ts": `import { c } from "./deep/b.ts"; import { join } from "node:path";
        export { x as a, type T } from "./deep/a.ts"; export * from "./star.ts"; export { c, join };`,
      "deep/a.ts": `export { y as x } from "./b.ts"; export type { T } from "../types.ts";`,
      "deep/b.ts": `export const y = 1;\n/** Says what. */\nexport const c = 2;`,
      "types.ts": `export interface T {}`,
      "star.ts": `export * from "./types.ts"; export const s = 1;`,
    };
    expect(bareNames(files)).toEqual(["deep/b.ts: y", "star.ts: s", "types.ts: T"]);
  });

  it("keeps a name that is passed on apart from one of the same name inside", () => {
    const files = {
      "index.ts": `/** Says what. */\nconst a = 1;\nexport { b as a } from "./b.ts"; a;`,
      "b.ts": `export const b = 1;`,
    };
    expect(bareNames(files)).toEqual(["b.ts: b"]);
  });

  it("refuses names that lead nowhere", () => {
    expect(() => bareNames({ "index.ts": `export { a } from "./a.ts";`, "a.ts": "" })).toThrow("has no such export");
    expect(() => bareNames({ "index.ts": `export { a };` })).toThrow("neither declares nor imports");
  });
});
