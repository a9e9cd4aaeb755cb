import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_LIMITS, failure, notJudged, type Outcome } from "../../evaluation/outcome.ts";
import type { Sandbox } from "../../evaluation/sandbox.ts";
import { readCompletions } from "./completions.ts";
import type { Job, Piece } from "./plan.ts";
import { Missing, Study } from "./study.ts";
import { Verdicts } from "./verdicts.ts";
import { completeWork } from "./work.ts";

const MODEL = "models/kedge-js-5m";
const TASKS = readFileSync(join(MODEL, "eval-std.jsonl"), "utf8").split("\n").slice(0, 4);

const plain: Job = { benchmark: "humaneval-x-js", way: {}, tasks: "all" };
const held: Job = { ...plain, way: { strength: 1.25 } };

let folder: string;
let data: string;
let programs: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-study-"));
  data = join(folder, "data");
  mkdirSync(join(data, "humaneval-x"), { recursive: true });
  writeTasks(TASKS);
  programs = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeTasks(lines: readonly string[]): void {
  writeFileSync(join(data, "humaneval-x", "humaneval_js.jsonl.gz"), lines.join("\n"));
}

const search = (study: Study) => study.search("humaneval-x-js");
const dispose = (): Promise<void> => Promise.resolve();

/** Passes every second program that it is given; the others come to `otherwise`. */
function fakeSandbox(otherwise = failure("assertion", "wrong")): Sandbox {
  return {
    limits: DEFAULT_LIMITS,
    run: ({ source }): Promise<Outcome> =>
      Promise.resolve(programs.push(source) % 2 === 0 ? { passed: true } : otherwise),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function withStudy<T>(work: (study: Study) => Promise<T>, sandbox = fakeSandbox()): Promise<T> {
  const verdicts = new Verdicts(folder, sandbox);
  return work(new Study({ folder, data, verdicts })).finally(() => verdicts.close());
}

const complete = (
  work: readonly Piece[],
  signal = new AbortController().signal,
  log: (line: string) => void = () => {},
) => withStudy((study) => completeWork({ study, model: MODEL, folder, work, log, signal }));

const file = (name: string): string => join(folder, `humaneval-x-js_${name}.jsonl`);
const byId = (a: { readonly id: string }, b: { readonly id: string }): number => a.id.localeCompare(b.id);
const idsIn = (name: string): string[] => readCompletions(file(name)).done.map(({ id }) => id);
const ids = TASKS.map((line) => (JSON.parse(line) as { readonly task_id: string }).task_id);

describe("completions of the study", () => {
  it("are made once, go on after an interruption, and are the same then", async () => {
    await complete([plain, held]);
    expect(idsIn("plain").toSorted()).toEqual(ids.toSorted());
    expect(readdirSync(folder).toSorted()).toEqual([
      "data",
      ...["plain", "spa-1.25"].map((name) => `humaneval-x-js_${name}.jsonl`),
    ]);
    const whole = readCompletions(file("plain"));
    const [first, second] = whole.done;
    expect(whole.settings).toMatchObject({ benchmark: "humaneval-x-js", weights: "int8", device: "wasm", way: {} });
    expect(first!.tokens).toBeGreaterThan(0);

    // Two lines, and the third as an interruption left it.
    const lines = readFileSync(file("plain"), "utf8").split("\n");
    writeFileSync(file("plain"), `${lines.slice(0, 3).join("\n")}\n${lines[3]!.slice(0, 20)}`);
    await complete([plain, held]);
    const again = readCompletions(file("plain"));
    expect(again.done.slice(0, 2)).toEqual([first, second]);
    expect(again.done.toSorted(byId)).toEqual(whole.done.toSorted(byId));

    const before = readFileSync(file("plain"), "utf8");
    await complete([plain, held]);
    expect(readFileSync(file("plain"), "utf8")).toBe(before);
  });

  it("of ways on the same tasks are made together, and are those of each way alone", async () => {
    const lines: string[] = [];
    const random: Job = { ...plain, way: { strength: 1.25, spans: "random" } };
    await complete([held, random, { ...plain, way: { cache: "window:50%" } }], undefined, (line) => lines.push(line));
    expect(lines.filter((line) => line.includes("together"))).toEqual(["  together with spa-1.25-random-spans"]);
    const together = readCompletions(file("spa-1.25")).done.toSorted(byId);
    expect(readCompletions(file("spa-1.25-random-spans")).done.toSorted(byId)).not.toEqual(together);
    const { done } = readCompletions(file("plain-window-50pc"));
    for (const { cache } of done) expect(cache!.kept).toBeLessThan(cache!.dense);
    rmSync(file("spa-1.25"));
    await complete([held]);
    expect(readCompletions(file("spa-1.25")).done.toSorted(byId)).toEqual(together);
  });

  it("end at a signal, with what is done on the disk", async () => {
    const stop = new AbortController();
    const ended = complete([plain], stop.signal, (line) => {
      if (line.includes("begins")) stop.abort(new Error("enough"));
    });
    await expect(ended).rejects.toThrow("enough");
    expect(idsIn("plain")).toEqual([]);
  });

  it("are refused where they were made from another prompt, or in another way", async () => {
    await complete([{ ...plain, tasks: "tuning" }]);
    const made = idsIn("plain");
    writeTasks(
      TASKS.map((line) =>
        line.replace('"prompt": "', '"prompt": "// other\\n').replace('"prompt":"', '"prompt":"// other\\n'),
      ),
    );
    await expect(complete([plain])).rejects.toThrow(`${made[0]} was completed from another prompt`);
    writeTasks(TASKS);
    writeFileSync(file("plain"), readFileSync(file("plain"), "utf8").replace('"weights":"int8"', '"weights":"int4"'));
    await expect(complete([plain])).rejects.toThrow('was made with weights "int4", not "int8"');
    appendFileSync(file("plain"), "{}\n");
    await expect(withStudy((study) => study.completions(plain))).rejects.toThrow("is not the completion of a task");
  });

  it("of a benchmark that is not there are left out", async () => {
    const lines: string[] = [];
    await complete([{ ...plain, benchmark: "humaneval" }, plain], undefined, (line) => lines.push(line));
    expect(lines[0]).toContain("HumanEval, plain, all tasks, is left out: ");
    expect(idsIn("plain")).toHaveLength(ids.length);
  });
});

describe("scores of the study", () => {
  it("are judged once a text, and kept", async () => {
    await complete([plain]);
    const first = await withStudy((study) => study.passes(plain, "base"));
    expect(first.filter((passed) => passed === true)).toHaveLength(ids.length / 2);
    expect(programs).toHaveLength(ids.length);
    expect(await withStudy((study) => study.passes(plain, "base"))).toEqual(first);
    expect(programs).toHaveLength(ids.length);
  });

  it("count no task that the sandbox cannot judge", async () => {
    await complete([plain]);
    const passes = await withStudy((study) => study.passes(plain, "base"), fakeSandbox(notJudged("needs numpy.zeros")));
    expect(passes.filter((passed) => passed === undefined)).toHaveLength(ids.length / 2);
    expect(passes).not.toContain(false);
  });

  it("name what is missing, and a search asks for what it has to know next", async () => {
    const missing = (work: (study: Study) => Promise<unknown>) =>
      withStudy(work).then(
        () => undefined,
        (error: unknown) => (error instanceof Missing ? error.job : error),
      );
    expect(await missing((study) => study.passes(plain, "base"))).toEqual(plain);
    expect(await missing(search)).toEqual({ ...plain, tasks: "tuning" });
    await complete([plain]);
    expect(await missing(search)).toEqual({ ...held, tasks: "tuning" });
    await complete([{ benchmark: "humaneval-x-js", search: "strength" }]);
    const { curve, tuningTasks } = await withStudy(search);
    expect(curve.map(({ strength }) => strength)).toEqual(expect.arrayContaining([1, 1.25, 1.5, 1.75, 2]));
    expect(tuningTasks).toHaveLength(1);
  });
});
