// kedge tune: a search on a share of the tasks, kept in a file as it goes.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge, type Outcome } from "../support/command.ts";

const MODEL = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-tune-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Score {
  readonly strength: number;
  readonly passed: number;
}

interface TuneFile {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly state: { readonly scores: readonly Score[]; readonly held: readonly Score[] };
  readonly result?: Readonly<Record<string, unknown>>;
}

const fileOf = (name: string) => JSON.parse(readFileSync(at(name), "utf8")) as TuneFile;
const OPTIONS = ["--device", "wasm", "--limit", "12", "--share", "0.5", "--low", "-1", "--high", "1", "--step", "1"];

/** Tunes on tasks of the standard set, between a reversed anchor and the plain model. */
const tune = (out: string, args: readonly string[] = [], signal?: AbortSignal): Promise<Outcome> =>
  kedge(["tune", MODEL, `${MODEL}/eval-std.jsonl`, ...OPTIONS, "--out", at(out), ...args], signal ? { signal } : {});

let whole: Outcome;
beforeAll(async () => {
  whole = await tune("whole.json");
});

function expectFailure({ code, stdout, stderr }: Outcome, wantedCode: number, ...parts: readonly string[]): void {
  const failure = /^kedge: ([^\n]+)\n$/m.exec(stderr)?.[1] ?? stderr;
  for (const part of parts) expect(failure).toContain(part);
  expect(stderr).not.toContain("unexpected");
  expect([code, stdout]).toEqual([wantedCode, ""]);
}

test("prints the curve as a plot, and the score on the tasks that were not used", () => {
  const { code, stdout, stderr } = whole;
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^strength +passed\n/);
  // Reversing the anchors breaks this model, so that there is something to find.
  const points = [...stdout.matchAll(/^ *(-?\d\.\d{3}) +(\d) of 6( +█+)?( +tried)?$/gm)];
  expect(points.length).toBeGreaterThanOrEqual(3);
  const passedAt = (strength: string) => Number(points.find(([, at_]) => at_ === strength)![2]);
  expect(passedAt("1.000")).toBeGreaterThan(passedAt("-1.000"));
  expect(points.filter((point) => point[4] !== undefined)).toHaveLength(1);
  const tried = Number(points.find((point) => point[4] !== undefined)![1]);
  expect(tried).toBeGreaterThan(-1);
  const rate = String.raw`\d of 6 \([01]\.\d{3}; 95 %: [01]\.\d{3}\.\.[01]\.\d{3}\)`;
  const strength = tried === 1 ? "" : String.raw`; strength [\d.]+ ${rate}`;
  expect(stdout).toMatch(new RegExp(`^on the tasks not used for tuning: the plain model ${rate}${strength}$`, "m"));
  const paired = /^\d gained, \d lost \(McNemar, exact: p [=<] \d\.\d{3}\)$/m;
  if (tried === 1) expect(stdout).not.toMatch(paired);
  else expect(stdout).toMatch(paired);
  // The model passes nearly all of these tasks plainly: there is nothing to gain, and no strength is named.
  expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^not shown to help \(6 tasks/);
  expect(stdout).not.toMatch(/best$/m);
  expect(stderr).toContain(`kept in ${at("whole.json")}`);
});

test("keeps settings, scores and result in the file", () => {
  const { settings, state, result } = fileOf("whole.json");
  expect(settings).toMatchObject({ device: "wasm", share: 0.5, low: -1, high: 1, step: 1, seed: 0 });
  expect(settings["tasks"]).toHaveLength(12);
  expect(state.scores.map(({ strength }) => strength)).toEqual(expect.arrayContaining([-1, 0, 1]));
  expect(result!["verdict"]).toMatchObject({
    helps: false,
    strength: null,
    tasks: 6,
    curve: { tasks: 6, isFlat: true },
  });
  const { tuningTasks, heldTasks } = result as Record<string, number[]>;
  expect([...tuningTasks!, ...heldTasks!].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  expect(existsSync(`${at("whole.json")}.part`)).toBe(false);
});

test("an interrupted search goes on where it stopped, to the same result", async () => {
  const controller = new AbortController();
  const watch = setInterval(() => existsSync(at("cut.json")) && controller.abort(), 1);
  const stopped = await tune("cut.json", ["--json"], controller.signal);
  clearInterval(watch);
  expect([stopped.code, stopped.stdout]).toEqual([130, ""]);
  expect(stopped.stderr).toContain(`interrupted: the scores so far are in ${at("cut.json")}`);
  const cut = fileOf("cut.json");
  expect(cut.result).toBeUndefined();
  const all = fileOf("whole.json");
  expect(cut.state.scores.length).toBeLessThan(all.state.scores.length);

  const { code, stdout, stderr } = await tune("cut.json", ["--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain(`going on with ${at("cut.json")}: ${cut.state.scores.length} score`);
  expect(fileOf("cut.json")).toEqual(all);
  expect(JSON.parse(stdout)).toEqual(all.result);
});

test("a search that is done is not done again", async () => {
  const again = await tune("whole.json", ["--json"]);
  expect(JSON.parse(again.stdout)).toEqual(fileOf("whole.json").result);
  // Scores that no run would give are taken as they are: none was made again.
  const file = fileOf("whole.json");
  const scores = file.state.scores.map(({ strength }) => ({ strength, passed: strength === -1 ? 6 : 0 }));
  writeFileSync(at("made-up.json"), JSON.stringify({ ...file, state: { ...file.state, scores } }));
  const { stdout } = await tune("made-up.json", ["--json"]);
  const { curve } = JSON.parse(stdout) as { curve: readonly Score[] };
  expect(curve.find(({ strength }) => strength === -1)!.passed).toBe(6);
  expect(curve.find(({ strength }) => strength === 1)!.passed).toBe(0);
});

describe("a file that is not this search's", () => {
  test.each([
    ["another step", ["--step", "0.5"], ["step 1, not 0.5"]],
    ["another seed", ["--seed", "4"], ["seed 0, not 4"]],
    ["another grouping", ["--groups", "clauses"], ['grouping "one", not "clauses"']],
    ["other tasks", ["--limit", "11"], ["other tasks"]],
  ])("%s", async (_, args, parts) => {
    const before = readFileSync(at("whole.json"), "utf8");
    expectFailure(await tune("whole.json", args), 1, "whole.json", ...parts, "--out");
    expect(readFileSync(at("whole.json"), "utf8")).toBe(before);
  });

  test.each([
    ["no JSON", "{", "is not JSON"],
    ["a list", "[1]", "no search"],
    ["scores that are none", '{"settings":{},"state":{"settings":{},"scores":[{}],"held":[]}}', "no search"],
    ["no state", '{"settings":{},"state":null}', "no search"],
  ])("%s", async (_, text, message) => {
    writeFileSync(at("foreign.json"), text);
    expectFailure(await tune("foreign.json"), 1, "foreign.json", message, "--out");
    expect(readFileSync(at("foreign.json"), "utf8")).toBe(text);
  });

  test("a folder that is not there is said before the search", async () => {
    const begin = performance.now();
    expectFailure(await tune("none/tune.json"), 1, "cannot be written", "ENOENT");
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});

test.each([
  ["a strength that is no number", ["--high", "much"], 2, ["--high", '"much"']],
  ["a share of all tasks", ["--share", "1"], 2, ["--share", '"1"']],
  ["a range upside down", ["--low", "2"], 1, ["low is 2", "high is 1"]],
  ["one task", ["--limit", "1"], 1, ["1 task"]],
])("%s", async (name, args, code, parts) => {
  expectFailure(await tune(`${name.replaceAll(" ", "-")}.json`, args), code, ...parts);
});
