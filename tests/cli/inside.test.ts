// kedge inside: tables, JSON and pictures of each analysis; and the picture alone, which opens without anything else.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  attributeLogit,
  logitLens,
  scoreHeads,
  type HeadScores,
  type LogitAttribution,
  type LogitLens,
} from "kedge/attention";
import { loadModel, type Model } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { htmlOf, svgOf, type HeatMap } from "../../cli/heat-map.ts";
import { kedge } from "../support/command.ts";

const MODEL = "models/kedge-js-5m";
const TEXT = "function even(nums) {";
const folder = mkdtempSync(join(tmpdir(), "kedge-inside-"));
let model: Model;
beforeAll(async () => {
  model = await loadModel(MODEL, { device: "wasm" });
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const inside = async (analysis: string, ...args: readonly string[]) => {
  const text = analysis === "heads" ? [] : [TEXT];
  const { code, stdout, stderr } = await kedge(["inside", analysis, MODEL, ...text, "--device", "wasm", ...args]);
  expect(code, stderr).toBe(0);
  return { stdout, stderr };
};

describe("an analysis", () => {
  test("lens: its JSON is that of logitLens, its table ends with what the model says", async () => {
    const got = JSON.parse((await inside("lens", "--json")).stdout) as LogitLens & { model: string };
    const { tokens, layers } = await logitLens(model, TEXT);
    expect([got.model, got.tokens.map(({ text }) => text).join("")]).toEqual([MODEL, TEXT]);
    expect(got.tokens).toEqual(tokens);
    expect(got.layers).toHaveLength(7);
    expect(
      got.layers
        .at(-1)!
        .at(-1)!
        .top.map(({ text }) => text),
    ).toEqual(
      layers
        .at(-1)!
        .at(-1)!
        .top.map(({ text }) => text),
    );
    expect((await inside("lens")).stdout).toMatch(/^ *end +"\\n" +\d+\.\d %/m);
  });

  test("logit: of a token named by its text, against another", async () => {
    const args = ["--token", "\n", "--against", " {", "--position", "-1"];
    const got = JSON.parse((await inside("logit", ...args, "--json")).stdout) as LogitAttribution;
    const [token, against] = ["\n", " {"].map((text) => model.tokenizer!.encode(text, { addSpecialTokens: false })[0]!);
    const want = await attributeLogit(model, TEXT, { token, against });
    expect([got.token.text, got.against?.text, got.position]).toEqual(["\n", " {", want.position]);
    expect(got.logit).toBeCloseTo(want.logit, 3);
    const file = join(folder, "logit.svg");
    const { stdout } = await inside("logit", ...args, "--svg", file);
    expect(stdout).toContain('the logit of "\\n" less that of " {" after 6 tokens is');
    expect(stdout.match(/^ +[0-5]( +[+-]\d+\.\d\d){5}$/gm)).toHaveLength(6);
    expect(readFileSync(file, "utf8").match(/<title>/g)).toHaveLength(6 * 5);
  });

  test("heads: of a text of its own", async () => {
    const got = JSON.parse((await inside("heads", "--period", "10", "--seed", "3", "--json")).stdout) as HeadScores;
    const want = await scoreHeads(model, { period: 10, seed: 3 });
    expect(got.tokens).toEqual(want.tokens);
    for (const [i, { induction }] of got.layers.entries()) {
      for (const [head, score] of induction.entries()) expect(score).toBeCloseTo(want.layers[i]!.induction[head]!, 5);
    }
  });

  test("classes and rollout: a table, and a page with the picture", async () => {
    const file = join(folder, "rollout.html");
    expect((await inside("classes")).stdout).toMatch(/^layer +first-token +identifier +punctuation$/m);
    const { stdout } = await inside("rollout", "--html", file);
    expect(stdout.match(/^\d+ +".*" +\d+\.\d %$/gm)).toHaveLength(6);
    const page = readFileSync(file, "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page.match(/<title>/g)).toHaveLength(1 + (6 * 7) / 2); // the page's own, and a cell for each token and those before it
    expect(page).not.toMatch(/<script|src=|href=|url\(/);
  });
});

describe("is refused:", () => {
  test.each<[string, readonly string[], number, string]>([
    [
      "an analysis that there is not",
      ["inside", "lenses", MODEL, TEXT],
      2,
      'there is no analysis "lenses": there are lens, logit, heads',
    ],
    [
      "a token of several",
      ["inside", "logit", MODEL, TEXT, "--token", "function even"],
      2,
      '--token "function even" is 2 tokens',
    ],
    [
      "a position beyond the text",
      ["inside", "logit", MODEL, TEXT, "--position", "6"],
      1,
      "position is 6: the text has 6 tokens",
    ],
    ["a position that is no number", ["inside", "logit", MODEL, TEXT, "--position", "last"], 2, '--position is "last"'],
    [
      "a period beyond the context",
      ["inside", "heads", MODEL, "--period", "5000"],
      1,
      "period is 5000: said twice it must fit the context",
    ],
    ["a picture where there is a folder", ["inside", "lens", MODEL, TEXT, "--svg", tmpdir()], 1, "folder"],
  ])("%s", async (_, args, code, message) => {
    const outcome = await kedge([...args, ...(code === 1 ? ["--device", "wasm"] : [])]);
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr).not.toContain("unexpected");
  });
});

const map = (size: number): HeatMap => ({
  title: `a <title> & "more" than the columns of the picture are wide`,
  rows: Array.from({ length: 2 }, (_, i) => `row ${i}`),
  columns: Array.from({ length: size }, (_, i) => (i === 0 ? "\n\u0007<b>" : `c${i}`)),
  values: Array.from({ length: 2 }, (_, row) =>
    Array.from({ length: size }, (_column, i) => (i === 1 ? null : (row ? -1 : 1) * i)),
  ),
});

describe("a heat map", () => {
  test("shows every cell but empty ones, with what would be markup escaped", () => {
    const { svg, note } = svgOf(map(4));
    expect(note).toBeNull();
    expect(svg.match(/<rect x/g)).toHaveLength(6);
    expect(svg).toContain("a &lt;title&gt; &amp; &quot;more&quot; than");
    expect(svg).toContain("⏎\ufffd&lt;b&gt;");
    expect(svg).toContain('fill="#08306b"'); // the largest
    expect(svg).toContain('fill="#a50f15"'); // the smallest
    expect(svg).not.toContain("\u0007");
    expect(svg).toContain(">row 1<");
    // the title is not cut off
    expect(Number(/ width="(\d+)"/.exec(svg)?.[1])).toBeGreaterThan(7 * map(4).title.length);
  });

  test("of 4,000 tokens is of the last 128, and says so", () => {
    const { html, note } = htmlOf(map(4000));
    expect(note).toBe("drawn are the last 2 of 2 rows and the last 128 of 4000 columns");
    expect(html).toContain(note);
    expect(html.match(/<rect x/g)).toHaveLength(256);
    expect(html).toContain(">c3999<");
    expect(html).not.toContain(">c3871<");
  });
});
