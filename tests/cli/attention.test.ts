// kedge attention: dilution, sparsity and classes of tokens, SPA beside the exact mode; and kedge run with anchors.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel } from "kedge";
import type { ExactComparison } from "kedge/anchoring";
import { studyAttention, type AttentionStudy } from "kedge/attention";
import { afterAll, describe, expect, test } from "vitest";
import { kedge, type Outcome } from "../support/command.ts";

const MODEL = "models/kedge-js-5m";
const ANCHOR_MODEL = "models/kedge-js-5m-anchor";
const TEXT = "/**\n * Keep only the even numbers and then add all the numbers together.\n */\nfunction total(nums) {\n";
const TAGGED = TEXT.replace("only the even numbers", "<anchor>only the even numbers</anchor>");
const folder = mkdtempSync(join(tmpdir(), "kedge-attention-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const attention = (...args: readonly string[]) => kedge(["attention", MODEL, "--device", "wasm", ...args]);
const run = (model: string, ...args: readonly string[]) => kedge(["run", model, "--device", "wasm", ...args]);

const dilution = async (layers: string) =>
  json<AttentionStudy>(await attention(TEXT, "--max-tokens", "6", "--json", "--layers", layers)).dilution;

const textOf = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await run(MODEL, ...args, "--max-tokens", "24", "--quiet");
  expect(code, stderr).toBe(0);
  return stdout;
};

function json<T>({ code, stdout, stderr }: Outcome): T {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

function expectFailure({ code, stdout, stderr }: Outcome, wantedCode: number, ...parts: readonly string[]): void {
  const failure = /^kedge: ([^\n]+)\n$/m.exec(stderr)?.[1] ?? stderr;
  for (const part of parts) expect(failure).toContain(part);
  expect(stderr).not.toContain("unexpected");
  expect([code, stdout]).toEqual([wantedCode, ""]);
}

describe("a study", () => {
  test("as JSON has the text, and what studyAttention says of it", async () => {
    const got = json<AttentionStudy & { text: string; model: string; device: string }>(
      await attention(TEXT, "--max-tokens", "20", "--json"),
    );
    const { text, model: name, device, ...study } = got;
    expect([name, device]).toEqual([MODEL, "wasm"]);
    expect(text).toContain("nums.filter");
    const model = await loadModel(MODEL, { device: "wasm" });
    const prompt = model.tokenize(TEXT);
    const tokens = model.tokenize(TEXT + text);
    expect(study.promptLength).toBe(prompt.length);
    expect(study.tokens).toBe(prompt.length + 20);
    expect(tokens).toHaveLength(study.tokens);
    const want = await studyAttention(model, tokens, { promptLength: prompt.length });
    await model.dispose();
    expect(study.dilution).toHaveLength(21);
    expect(study.dilution[0]).toBeCloseTo(1, 5);
    for (const [at, share] of study.dilution.entries()) expect(share).toBeCloseTo(want.dilution[at]!, 4);
    expect(study.layers).toHaveLength(6);
    for (const [at, layer] of study.layers.entries()) {
      expect(layer.sparsity.gini!.mean).toBeCloseTo(want.layers[at]!.sparsity.gini!.mean, 4);
      expect(layer.heads).toHaveLength(4);
      const masses = Object.values(layer.classes!).map(({ mass }) => mass);
      expect(masses.reduce((sum, mass) => sum + mass, 0)).toBeCloseTo(1, 4);
    }
  });

  test("as a table names layers, Gini, the two largest and the classes", async () => {
    const { code, stdout } = await attention(TEXT, "--max-tokens", "40");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^prompt \d+ tokens, 40 tokens after it\n/);
    expect(stdout).toMatch(/^ *0 +100\.0 % +█{40}$/m);
    expect(stdout.match(/^ +[0-5] +0\.\d{3} +0\.\d{3} +\d+ of \d+$/gm)).toHaveLength(6);
    expect(stdout).not.toContain("see --min-keys");
    expect(stdout).toMatch(/^layer +first-token +line-break .*identifier/m);
  });

  test("of chosen layers: a layer named twice counts once", async () => {
    const [two, three, both] = [await dilution("2"), await dilution("3,3"), await dilution("2,3")];
    for (const [at, share] of both.entries()) expect(share).toBeCloseTo((two[at]! + three[at]!) / 2, 6);
  });

  test("of a text that was written with its anchors held, tags left out", async () => {
    const study = json<AttentionStudy & { text: string }>(
      await attention(TAGGED, "--anchoring=-1", "--max-tokens", "20", "--json"),
    );
    const plain = json<AttentionStudy & { text: string }>(await attention(TEXT, "--max-tokens", "20", "--json"));
    expect(study.promptLength).toBe(plain.promptLength);
    expect(study.text).not.toBe(plain.text);
  });
});

describe("--spa-error", () => {
  test("is nothing at strengths 0 and 1, and grows from there", async () => {
    const { model, rows } = json<{ model: string; rows: readonly ExactComparison[] }>(
      await attention(TAGGED, "--spa-error", "0,1,2,4", "--json"),
    );
    expect(model).toBe(MODEL);
    expect(rows.map(({ strength }) => strength)).toEqual([0, 1, 2, 4]);
    const [zero, one, two, four] = rows as [ExactComparison, ExactComparison, ExactComparison, ExactComparison];
    for (const { kl, isTopEqual, difference } of [zero, one]) {
      expect(kl).toBeLessThan(1e-10);
      expect(isTopEqual).toBe(true);
      expect(difference.max).toBeLessThan(1e-3);
    }
    expect([one.secondOrder, zero.curvature, one.curvature]).toEqual([null, null, null]);
    expect(two.difference.rms).toBeGreaterThan(0.01);
    expect(four.difference.rms).toBeGreaterThan(two.difference.rms);
    expect(two.secondOrder).toBeCloseTo(two.difference.rms, 10);
  });

  test("prints a table of the usual strengths, and each note once", async () => {
    const { code, stdout, stderr } = await attention(TEXT, "--anchor", "even", "--spa-error");
    expect(code).toBe(0);
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^strength +KL \(nats\) +same top token +rms difference +second-order term$/);
    expect(rows).toHaveLength(10);
    expect(stderr.match(/masked tokens are replaced/g)).toHaveLength(1);
  });

  test("wants anchors, and numbers", async () => {
    expectFailure(await attention(TEXT, "--spa-error"), 2, "--spa-error", "<anchor>");
    expectFailure(await attention(TAGGED, "--spa-error", "0,much"), 2, "--spa-error", '"0,much"');
  });
});

describe("kedge run with anchors", () => {
  test("takes tags out, and holds what was between them as --anchor does", async () => {
    const plain = await textOf(TEXT);
    expect(await textOf(TAGGED, "--anchoring", "1")).toBe(plain);
    const tagged = await textOf(TAGGED, "--anchoring=-2");
    expect(tagged).not.toBe(plain);
    expect(await textOf(TEXT, "--anchor", "only the even numbers", "--anchoring=-2")).toBe(tagged);
    expect(await textOf(TEXT, "--anchor", "only the even numbers@-2")).toBe(tagged);
  });

  test("holds anchors over every policy, on a model with anchors of its own too", async () => {
    for (const model of [MODEL, ANCHOR_MODEL]) {
      for (const cache of ["anchors", "sinks:4,40", "heavy-hitters:40", "last-query:40", "key-norm:40", "snap-kv:40"]) {
        const { code, stderr } = await run(model, TAGGED, "--anchoring", "1.4", "--cache", cache, "--max-tokens", "6");
        expect(code, `${model} ${cache}: ${stderr}`).toBe(0);
        expect(stderr.includes("not trained with anchor attention")).toBe(model === MODEL && cache === "anchors");
      }
    }
  });

  test.each([
    ["an anchor that does not occur", [TEXT, "--anchor", "odd"], 1, ['"odd"', "does not occur", String(TEXT.length)]],
    ["an empty anchor", [TEXT, "--anchor", ""], 2, ["--anchor", "no text"]],
    ["anchors of two strengths that overlap", [TEXT, "--anchor", "even@2", "--anchor", "the even@3"], 1, ["overlap"]],
    ["nothing between tags", [`<anchor></anchor>${TEXT}`], 1, ["0 characters"]],
    ["a tag that stays open", [`<anchor>${TEXT}`], 1, ["never closed"]],
    ["a tag inside another", [`<anchor>a<anchor>b</anchor></anchor>${TEXT}`], 1, ["inside", "nest"]],
    ["a strength without anchors", [TEXT, "--anchoring", "2"], 2, ["--anchoring 2", "<anchor>"]],
    ["a strength that is no number", [TAGGED, "--anchoring", "strong"], 2, ["--anchoring", '"strong"']],
    ["an anchor's strength that is no number", [TEXT, "--anchor", "even@1.x"], 2, ["--anchor", '"1.x"']],
    ["a window in which nothing fits", [TEXT, "--cache", "window:0"], 2, ["window", "at least 1", "0"]],
    ["pools without a middle", [TEXT, "--cache", "snap-kv:64,pool=4"], 2, ["pool", "odd", "4"]],
    ["a layer that is not there", [TEXT, "--layers", "6"], 1, ["layer 6", "6"]],
  ])("%s", async (name, args, code, parts) => {
    const verb = name.includes("layer") ? "attention" : "run";
    expectFailure(await kedge([verb, MODEL, "--device", "wasm", "--max-tokens", "2", ...args]), code, ...parts);
  });
});

describe("a layer map", () => {
  const config = JSON.parse(readFileSync(`${ANCHOR_MODEL}/config.json`, "utf8")) as {
    anchor_attention: { layer_map: Record<string, number> };
  };

  test.each([
    ["that points upward", { 3: 4 }, ['layer "3"', "4"]],
    ["that points at itself", { 3: 3 }, ['layer "3"', "3"]],
    ["of a layer that is not there", { 6: 0 }, ['layer "6"', "below 6"]],
    ["from a layer below the first", { 3: -1 }, ['layer "3"', "-1"]],
  ])("%s is refused", async (name, layerMap, parts) => {
    const at = join(folder, name.replaceAll(" ", "-"));
    mkdirSync(at);
    for (const file of ["tokenizer.json", "tokenizer_config.json", "model.safetensors"])
      cpSync(join(ANCHOR_MODEL, file), join(at, file));
    const anchors = { ...config.anchor_attention, layer_map: layerMap };
    writeFileSync(join(at, "config.json"), JSON.stringify({ ...config, anchor_attention: anchors }));
    expectFailure(await run(at, TEXT), 1, "config.json", '"layer_map"', ...parts);
  });
});
