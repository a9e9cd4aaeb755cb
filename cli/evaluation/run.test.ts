import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { completing } from "../../tests/support/completing.ts";
import { wilsonInterval } from "kedge/anchoring";
import { DEFAULT_LIMITS, failure, notJudged, type Outcome } from "./outcome.ts";
import { loadResults, type TaskResult } from "./results.ts";
import {
  evaluate,
  evaluateWays,
  score,
  type Complete,
  type EvaluationOptions,
  type EvaluationProgress,
  type WaysOptions,
  type WaysProgress,
} from "./run.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Program, Task } from "./task.ts";

const tasks: readonly Task[] = Array.from({ length: 10 }, (_, index) => ({
  id: `t${index}`,
  format: "kedge",
  language: "javascript",
  prompt: `function f${index}() {\n`,
  anchors: [],
  entryPoint: `f${index}`,
  canonicalSolution: "}\n",
  stop: "line-is-brace",
  check: { kind: "cases", entryPoint: `f${index}`, cases: [{ input: null, expected: index }] },
}));

const dispose = (): Promise<void> => Promise.resolve();

/** Passes what says "good"; takes a moment, so that judging and decoding overlap. */
function fakeSandbox(onRun: (program: Program) => void = () => {}): Sandbox {
  return {
    limits: DEFAULT_LIMITS,
    async run(program): Promise<Outcome> {
      onRun(program);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return program.source.includes("good") ? { passed: true } : failure("assertion", "wrong");
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Even tasks are solved; what follows the last line is left over. */
const solution = ({ id }: Task): string[] => [`  ${Number(id.slice(1)) % 2 === 0 ? "good" : "bad"}\n}\ngood\n`];
const solve = completing(solution);

/** Forgets the others. */
const solveThree: Complete = (all, options) => solve(all.slice(0, 3), options);

/** Five samples each: two of the first task pass, none of the others. */
const sample = completing(({ id }) => (id === "t0" ? ["good", "", "good", "", ""] : ["", "", "", "", ""]));

const refuse = completing(() => {
  throw new Error("nothing is left to decode");
});

let folder: string;
let resultsFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-run-"));
  resultsFile = join(folder, "results.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (options: Partial<EvaluationOptions> = {}): ReturnType<typeof evaluate> =>
  evaluate({ tasks, complete: solve, sandbox: fakeSandbox(), batchSize: 4, ...options });

/** A task's results, one sample for each outcome. */
const resultOf = (id: string, ...outcomes: Outcome[]): TaskResult => ({
  id,
  samples: outcomes.map((outcome) => ({ completion: "", outcome })),
});

describe("an evaluation", () => {
  it("decodes so many tasks at a time, cuts completions, scores and reports", async () => {
    const rounds: (readonly string[])[] = [];
    const progress: EvaluationProgress[] = [];
    const programs: string[] = [];
    const evaluation = await run({
      complete: completing(solution, (ids) => void rounds.push(ids)),
      sandbox: fakeSandbox(({ source }) => programs.push(source)),
      onProgress: (now) => progress.push(now),
    });
    expect(rounds).toEqual([
      ["t0", "t1", "t2", "t3"],
      ["t4", "t5", "t6", "t7"],
      ["t8", "t9"],
    ]);
    expect(programs).toContain("function f3() {\n  bad\n}\n");
    expect(evaluation).toMatchObject({
      tasks: 10,
      samples: 1,
      passAt: { 1: 0.5 },
      failures: { assertion: 5, exception: 0, syntax: 0, timeout: 0, memory: 0 },
    });
    expect(evaluation.interval.low).toBeLessThan(0.5);
    expect(evaluation.interval.high).toBeGreaterThan(0.5);
    expect(evaluation.results.map(({ id }) => id)).toEqual(tasks.map(({ id }) => id));
    expect(progress.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(progress.at(-1)).toEqual({ done: 10, total: 10, passed: 5, resumed: 0 });
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });

  it("leaves what was not judged out of every score, by name", () => {
    const [pass, fail, unknown] = [{ passed: true } as const, failure("assertion", "no"), notJudged("needs numpy.dot")];
    const evaluation = score(
      [resultOf("a", pass), resultOf("b", fail), resultOf("c", unknown), resultOf("d", pass)],
      1,
    );
    expect(evaluation).toMatchObject({
      tasks: 4,
      passAt: { 1: 2 / 3 },
      failures: { assertion: 1, exception: 0, syntax: 0, timeout: 0, memory: 0 },
      notJudged: [{ id: "c", reason: "needs numpy.dot" }],
    });
    expect(evaluation.interval).toEqual(wilsonInterval(2, 3));
    const sampled = score([resultOf("a", pass, unknown), resultOf("b", fail, pass)], 2);
    expect(sampled.passAt).toEqual({ 1: 0.75, 2: 1 }); // one sample of a was judged: it has no pass@2
    expect(sampled.notJudged).toEqual([]);
    expect(score([resultOf("c", unknown)], 1)).toMatchObject({ passAt: {}, interval: { low: 0, high: 1 } });
  });

  it("keeps in its file what was not judged", async () => {
    const unknown = fakeSandbox();
    const sandbox = { ...unknown, run: () => Promise.resolve(notJudged("needs numpy.dot")) };
    const { notJudged: named } = await run({ sandbox, resultsFile });
    expect(named).toHaveLength(10);
    expect((await run({ sandbox, resultsFile, resume: true })).notJudged).toEqual(named);
  });

  it("runs several ways at once, each with its file and score, and judges once what two of them write", async () => {
    const units: string[] = [];
    const programs: string[] = [];
    const progress: WaysProgress[] = [];
    const ways = ["a", "b", "c"].map((model) => ({ settings: { model }, resultsFile: join(folder, `${model}.jsonl`) }));
    const evaluateAll = (options: Partial<WaysOptions> = {}) =>
      evaluateWays({
        tasks,
        ways,
        sandbox: fakeSandbox(({ source }) => programs.push(source)),
        async *complete(open) {
          for (const { task, way } of open) {
            await Promise.resolve();
            units.push(`${task.id}${way}`);
            // The first two write the same; the third solves all tasks.
            yield { task, way, texts: way === 2 ? ["  good too\n}\n"] : solution(task) };
          }
        },
        limit: 4,
        onProgress: (now) => progress.push(now),
        ...options,
      });
    const evaluations = await evaluateAll();
    expect(evaluations.map(({ passAt }) => passAt["1"])).toEqual([0.5, 0.5, 1]);
    expect(units.slice(0, 4)).toEqual(["t00", "t01", "t02", "t10"]); // the ways of a task follow one another
    expect(programs).toHaveLength(2 * 4);
    const last = { done: 12, total: 12, passed: 8, resumed: 0 };
    expect(progress.at(-1)).toMatchObject({ ...last, ways: [2, 2, 4].map((passed) => ({ done: 4, passed })) });
    expect(loadResults(ways[2]!.resultsFile)).toMatchObject({ settings: { model: "c" } });

    units.length = 0;
    await run({ ...ways[1], limit: 6, resume: true }); // one way alone goes on
    expect((await evaluateAll({ limit: 6, resume: true })).map(({ tasks: count }) => count)).toEqual([6, 6, 6]);
    expect(units).toEqual(["t40", "t42", "t50", "t52"]);
    await expect(evaluateAll({ ways: [{ samples: 0 }] })).rejects.toThrow("samples is 0");
  });

  it("estimates pass@k from several samples", async () => {
    const { passAt } = await run({ complete: sample, samples: 5, limit: 2 });
    expect(Object.keys(passAt)).toEqual(["1", "5"]);
    expect(passAt["1"]).toBeCloseTo(0.2, 12);
    expect(passAt["5"]).toBe(0.5);
  });

  it("loses nothing when decoding fails, and resumes with what is left", async () => {
    const whole = await run();
    const failing = completing(solution, ([first]) => {
      if (first === "t8") throw new Error("the device is lost");
    });
    await expect(run({ complete: failing, resultsFile })).rejects.toThrow("the device is lost");
    expect(loadResults(resultsFile).results).toHaveLength(8);

    await expect(run({ resultsFile })).rejects.toThrow("is there already");
    const asked: string[] = [];
    const first: EvaluationProgress[] = [];
    const resumed = await run({
      resultsFile,
      resume: true,
      complete: completing(solution, (ids) => void asked.push(...ids)),
      onProgress: (now) => first.push(now),
    });
    expect(asked).toEqual(["t8", "t9"]);
    expect(first[0]).toEqual({ done: 8, total: 10, passed: 4, resumed: 8 });
    expect(resumed).toEqual(whole);
  });

  it("stops at a signal, with everything decoded judged and written", async () => {
    const controller = new AbortController();
    const complete = completing(solution, ([first], signal) => {
      if (first === "t4") controller.abort(new Error("stopped by the user"));
      signal?.throwIfAborted();
    });
    await expect(run({ complete, resultsFile, signal: controller.signal })).rejects.toThrow("stopped by the user");
    expect(
      loadResults(resultsFile)
        .results.map(({ id }) => id)
        .sort(),
    ).toEqual(["t0", "t1", "t2", "t3"]);
    await run({ resultsFile, resume: true });
    expect(loadResults(resultsFile).results).toHaveLength(10);
  });

  it("goes on with more tasks, and with fewer scores only those", async () => {
    await run({ resultsFile, limit: 3 });
    expect((await run({ resultsFile, resume: true, limit: 5 })).passAt).toEqual({ 1: 0.6 });
    expect((await run({ resultsFile, resume: true, limit: 2, complete: refuse })).passAt).toEqual({ 1: 0.5 });
  });

  it("does not resume under other settings, limits or tasks", async () => {
    await run({ resultsFile, settings: { model: "a" } });
    const before = readFileSync(resultsFile, "utf8");
    const again = (options: Partial<EvaluationOptions>): Promise<unknown> =>
      run({ resultsFile, resume: true, settings: { model: "a" }, ...options });
    await expect(again({ settings: { model: "b" } })).rejects.toThrow(`made with model "a", not "b"`);
    await expect(again({ samples: 2 })).rejects.toThrow("made with samples 1, not 2");
    await expect(again({ tasks: tasks.slice(1) })).rejects.toThrow("made with tasks ");
    const sandbox = { ...fakeSandbox(), limits: { ...DEFAULT_LIMITS, timeMs: 1 } };
    await expect(again({ sandbox })).rejects.toThrow("made with timeMs 5000, not 1");
    expect(readFileSync(resultsFile, "utf8")).toBe(before);
  });

  it("refuses completions of the wrong number, and numbers out of range", async () => {
    await expect(run({ samples: 2 })).rejects.toThrow("the generator made 1 completions of t0, wanted 2");
    await expect(run({ complete: solveThree })).rejects.toThrow("the generator did not complete t3");
    await expect(run({ batchSize: 0 })).rejects.toThrow("batchSize is 0");
    await expect(run({ limit: 1.5 })).rejects.toThrow("limit is 1.5");
    await expect(run({ tasks: [] })).rejects.toThrow("is 0");
  });

  it("ends before much more is decoded where a task cannot be judged, with the others judged", async () => {
    const sandbox = fakeSandbox(({ source }) => {
      if (source.includes("f0")) throw new Error("no thread");
    });
    const asked: string[] = [];
    const complete = completing(solution, async (ids) => {
      asked.push(...ids);
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await expect(run({ sandbox, complete, batchSize: 2, resultsFile })).rejects.toThrow("no thread");
    expect(asked).toEqual(["t0", "t1"]);
    expect(loadResults(resultsFile).results.map(({ id }) => id)).toEqual(["t1"]);
  });

  it("does not decode far ahead of the sandbox", async () => {
    let [decoded, judged, most] = [0, 0, 0];
    const sandbox = fakeSandbox(() => judged++);
    const slow: Sandbox = {
      ...sandbox,
      run: async (program) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return sandbox.run(program);
      },
    };
    const complete = completing((task) => {
      most = Math.max(most, ++decoded - judged);
      return solution(task);
    });
    await run({ sandbox: slow, complete, batchSize: 1 });
    expect(most).toBeLessThan(5);
  });

  it("ends where the sandbox cannot run", async () => {
    const sandbox = { ...fakeSandbox(), run: (): Promise<Outcome> => Promise.reject(new Error("no thread")) };
    await expect(run({ sandbox, resultsFile })).rejects.toThrow("no thread");
    expect(loadResults(resultsFile).results).toEqual([]);
  });
});
