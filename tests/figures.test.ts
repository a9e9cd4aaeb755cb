// Figures in prose are those of the tables that were measured (build/figures.mjs).

import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { cellOf, documents, withCopies, withFigures } from "../build/figures.mjs";
import places from "../docs/figures.json" with { type: "json" };

const read = (file: string): string => readFileSync(file, "utf8");

describe("the documents", () => {
  it.each(documents())("%s has the figures of its tables", (file) => {
    expect(withFigures(read(file), places, read), "run `npm run docs:figures`").toBe(read(file));
  });

  it.each(documents())("%s has the saved results that it copies", (file) => {
    expect(withCopies(read(file), read), "run `npm run docs:figures`").toBe(read(file));
  });

  it("cite every figure that has a place, in comments that are closed", () => {
    const texts = documents().map(read);
    const cited = texts.flatMap((text) => [...text.matchAll(/<!--figure ([\w-]+)-->[\d.]+<!--\/-->/g)]);
    expect(new Set(cited.map(([, name]) => name))).toEqual(new Set(Object.keys(places)));
    expect(cited).toHaveLength(texts.flatMap((text) => [...text.matchAll(/<!--figure/g)]).length);
  });
});

test("a copy is the table of a Markdown file, or a text file as a block", () => {
  const files: Readonly<Record<string, string>> = { "a.md": "# A\n\n| x |\n| - |\n| 1 |\n", "b.txt": "1 of 2\n" };
  const copy = (file: string) => withCopies(`<!--copy ${file}-->\n\nold\n\n<!--/copy-->`, (name) => files[name]!);
  expect(copy("a.md")).toBe("<!--copy a.md-->\n\n| x |\n| - |\n| 1 |\n\n<!--/copy-->");
  expect(copy("b.txt")).toBe("<!--copy b.txt-->\n\n```text\n1 of 2\n```\n\n<!--/copy-->");
});

describe("a cited figure", () => {
  const table = [
    "# First",
    "| what | time | over plain |",
    "| --- | ---: | ---: |",
    "| plain | 14.47 (13.96–15.42) | 1 |",
    "| two | 16.36 | **1.13x** |",
    "",
    "# Second",
    "| what | time |",
    "| --- | ---: |",
    "| plain | 9 kB |",
  ].join("\n");
  const cite = (labels: string, text: string) =>
    withFigures(`a <!--figure it-->${text}<!--/--> b`, { it: ["t.md", ...labels.split("; ")] }, (file) =>
      file === "t.md" ? table : expect.fail(file),
    );

  it("is the first number of its cell, with the decimals that the text has", () => {
    expect(cite("two; over plain", "2.00")).toBe("a <!--figure it-->1.13<!--/--> b");
    expect(cite("First; plain; time", "1.0")).toContain(">14.5<");
    expect(cite("Second; plain; time", "7")).toContain(">9<");
    expect(cite("two; time", "16.4")).toContain(">16.4<");
  });

  it("must name one row", () => {
    expect(() => cite("plain; time", "1")).toThrow('"plain; time" names 2 rows; it must name one');
    expect(() => cite("three; time", "1")).toThrow("names 0 rows");
    expect(() => cite("two; what", "1")).toThrow('the cell of the figure "it" is "two", which has no number');
    expect(cellOf(table, ["two", "what"])).toBe("two");
  });

  it("must have a place", () => {
    expect(() => withFigures("<!--figure it-->1<!--/-->", {}, read)).toThrow(
      'the figure "it" is not in docs/figures.json',
    );
  });
});
