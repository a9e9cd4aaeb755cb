import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { assert as check, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "kedge/loaders";
import { hasShared, shared, WITHOUT_SHARED } from "../../tests/support/shared.ts";
import { completionEnd, cutCompletion, type Task } from "./task.ts";
import { parseTasks, readTasks } from "./tasks.ts";

const own = {
  task_id: "a/1",
  prompt: "// Double it.\nfunction twice(x) {\n",
  anchor_ranges: [[3, 13]],
  entry_point: "twice",
  canonical_solution: "  return 2 * x;\n}\n",
  tests: [{ input: 2, expected: 4 }],
};
const human = {
  task_id: "JavaScript/0",
  prompt: "/* Double it.\n  >>> twice(2)\n  4\n  */\nconst twice = (x) => {\n",
  canonical_solution: "  return 2 * x;\n}\n\n",
  test: "console.assert(twice(2) === 4)\n",
};
const lines = (...rows: readonly (object | string)[]): Buffer =>
  Buffer.from(rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
const anchored = ({ prompt, anchors }: Task): string[] => anchors.map(({ begin, end }) => prompt.slice(begin, end));

describe("a task file", () => {
  it("holds tasks in kedge's own format", () => {
    const [task, ...others] = parseTasks(lines(own, ""), "t.jsonl");
    expect(others).toEqual([]);
    expect(task).toEqual({
      id: "a/1",
      format: "kedge",
      language: "javascript",
      prompt: own.prompt,
      anchors: [{ begin: 3, end: 13 }],
      entryPoint: "twice",
      canonicalSolution: own.canonical_solution,
      stop: "line-is-brace",
      check: { kind: "cases", entryPoint: "twice", cases: [{ input: 2, expected: 4 }] },
    });
  });

  it("holds tasks of HumanEval-X, plain or gzipped", () => {
    const plain = parseTasks(lines(human), "t.jsonl");
    expect(parseTasks(gzipSync(lines(human)), "t.jsonl.gz")).toEqual(plain);
    expect(plain).toHaveLength(1);
    expect(plain[0]).toMatchObject({
      id: "JavaScript/0",
      format: "humaneval-x",
      language: "javascript",
      entryPoint: "twice",
      stop: "line-begins-with-brace",
      check: { kind: "script", source: human.test },
    });
    expect(plain.flatMap(anchored)).toEqual(["Double it."]);
  });

  it.each<[string, object | string, string]>([
    ["a line that is cut", '{"task_id": "a', "line 2: is not JSON: "],
    ["a line that is a number", "7", "line 2: is a number, wanted an object"],
    [
      "no tests",
      { ...own, tests: undefined },
      'line 2: has the fields "task_id", "prompt", "anchor_ranges", "entry_point", "canonical_solution": wanted "anchor_ranges", "tests" (kedge\'s own format); "language", "entry_point", "test" (MBXP); "entry_point", "test" (HumanEval and HumanEval+); "canonical_solution", "test" (HumanEval-X); "code", "test_list", "test" (MBPP+); "text", "code", "test_list" (MBPP); "prompt", "code", "test_list" (MBPP sanitized)',
    ],
    ["a missing field", { ...own, prompt: undefined }, `line 2: "prompt" is missing, wanted a string`],
    ["a number for a string", { ...own, task_id: 3 }, `line 2: "task_id" is a number, wanted a string`],
    ["an empty prompt", { ...own, prompt: "" }, `line 2: "prompt" is empty`],
    [
      "null for a string",
      { ...human, canonical_solution: null },
      `line 2: "canonical_solution" is null, wanted a string`,
    ],
    ["an array for a test", { ...human, test: [] }, `line 2: "test" is an array, wanted a string`],
    ["an object for tests", { ...own, tests: {} }, `line 2: "tests" is an object, wanted an array`],
    ["no cases", { ...own, tests: [] }, `line 2: "tests" is empty, and would pass anything`],
    ["a case that is text", { ...own, tests: ["x"] }, `line 2: "tests"[0] is a string, wanted an object`],
    ["a case without its answer", { ...own, tests: [{ input: 1 }] }, `line 2: "tests"[0] has no "expected"`],
    [
      "a name that is code",
      { ...own, entry_point: "f()" },
      `line 2: "entry_point" is "f()", wanted the name of a function`,
    ],
    ["anchors that are no list", { ...own, anchor_ranges: 1 }, `line 2: "anchor_ranges" is a number, wanted an array`],
    ["half an anchor", { ...own, anchor_ranges: [[1]] }, `line 2: "anchor_ranges"[0] is [1], wanted [begin, end]`],
    ["an anchor of fractions", { ...own, anchor_ranges: [[0.5, 2]] }, `line 2: "anchor_ranges"[0] is [0.5,2], wanted`],
    [
      "an anchor past the prompt",
      { ...own, anchor_ranges: [[3, 99]] },
      `line 2: "anchor_ranges"[0] is [3, 99], wanted 0 <= begin < end <= ${own.prompt.length}, the prompt's length`,
    ],
    [
      "an empty anchor",
      { ...own, anchor_ranges: [[3, 3]] },
      `line 2: "anchor_ranges"[0] is [3, 3], wanted 0 <= begin < end`,
    ],
    ["the same task again", own, `line 2: "task_id" is "a/1", as on line 1`],
    ["a prompt without a function", { ...human, prompt: "// nothing" }, `line 2: "prompt" declares no function`],
    [
      "a prompt of megabytes",
      { ...own, prompt: "x".repeat(2 ** 20 + 1) },
      `"prompt" has 1048577 characters, more than the 1048576`,
    ],
  ])("is refused for %s, by file and line", (_, row, message) => {
    const read = (): unknown => parseTasks(lines(own, row), "set/t.jsonl");
    expect(read).toThrow(FormatError);
    expect(read).toThrow("set/t.jsonl: ");
    expect(read).toThrow(message);
  });

  it("is refused if it is empty, cut, or not text", () => {
    expect(() => parseTasks(lines("", " "), "t")).toThrow("t: has no tasks");
    expect(() => parseTasks(gzipSync(lines(own)).subarray(0, -9), "t")).toThrow("t: is not a whole gzip file: ");
    expect(() => parseTasks(Buffer.from([0x7b, 0xff, 0xfe]), "t")).toThrow("t: is not UTF-8 text");
  });

  it("is tasks or a FormatError, whatever byte of it is changed", () => {
    const bytes = lines(own, human);
    check(
      property(nat(bytes.length - 1), nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        try {
          expect(parseTasks(changed, "t").length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });

  it("is named where it cannot be read", async () => {
    await expect(readTasks("/nowhere/t.jsonl")).rejects.toThrow("/nowhere/t.jsonl");
  });
});

describe.each(["std", "long"])("the set %s of kedge-js-5m", (name) => {
  it("is 200 tasks whose anchors are lines of the last comment", async () => {
    const tasks = await readTasks(
      fileURLToPath(new URL(`../../models/kedge-js-5m/eval-${name}.jsonl`, import.meta.url)),
    );
    expect(tasks).toHaveLength(200);
    for (const task of tasks) {
      const comment = task.prompt.lastIndexOf("/**");
      expect(task.anchors.length).toBeGreaterThan(0);
      for (const { begin } of task.anchors) expect(begin).toBeGreaterThan(comment);
      expect(anchored(task).join("")).not.toContain("\n");
      expect(cutCompletion(task, `${task.canonicalSolution}more\n}\n`)).toBe(task.canonicalSolution);
    }
  });
});

describe("a completion", () => {
  it.each([
    ["line-is-brace", "  a;\n}\nrest", 7],
    ["line-is-brace", "}\n", 2],
    ["line-is-brace", "  if (x) {\n  }\n};\n} \n", undefined],
    ["line-is-brace", "  a;\n}", undefined],
    ["line-begins-with-brace", "  a;\n};\nrest", 8],
    ["line-begins-with-brace", "  a;\n  }\n} // end\nrest", 18],
    ["line-begins-with-brace", "  a;\n}", undefined],
    ["line-begins-with-brace", "", undefined],
  ] as const)("ends by %s: %j", (stop, text, end) => {
    expect(completionEnd(stop, text)).toBe(end);
  });

  it("may end with its text", () => {
    expect(completionEnd("line-is-brace", "  a;\n}", true)).toBe(6);
    expect(completionEnd("line-is-brace", "  a;\n};", true)).toBeUndefined();
    expect(completionEnd("line-begins-with-brace", "  a;\n};", true)).toBe(7);
  });

  it("that never ends is kept whole", () => {
    const [task] = parseTasks(lines(own), "t");
    expect(task === undefined ? undefined : cutCompletion(task, "  return 1;\n  //")).toBe("  return 1;\n  //");
  });
});

/** The anchors in a prompt with this comment. */
const anchorsOf = (comment: string, before = ""): string[] =>
  parseTasks(lines({ ...human, prompt: `${before}${comment}\nconst twice = (x) => {\n` }), "t").flatMap(anchored);

describe("the description in a prompt", () => {
  it.each([
    ["/* A.\n  B.\n  Example:\n    twice(1)\n */", ["A.", "B."]],
    ["/*\n  A.\n\n  For examble:\n  twice(1) ==> 2\n */", ["A."]],
    ["/**\n * A.\n * B.\n * Example 1: twice(1)\n */", ["A.", "B."]],
    ["/*A.\n  E.g. 1 is 2.\n */", ["A."]],
    ["/*A example of prose.\n  Examples are few.\n */", ["A example of prose.", "Examples are few."]],
    ["/*twice(0) is 0\n  B.\n  >>> twice(1)\n */", ["twice(0) is 0", "B."]],
    ["/*A.\n  twice(1) ➞ 2\n  B.\n */", ["A."]],
    ["/*A.\n  for twice(1) == 2\n */", ["A."]],
    ['/*"\n  A.\n */', ["A."]],
    ["// A.", []],
  ])("%j", (comment, wanted) => {
    expect(anchorsOf(comment)).toEqual(wanted);
  });

  it("is that of the last function", () => {
    expect(anchorsOf("/* B. */", "/* A. */\nconst once = (x) => {\n  return x;\n}\n\n")).toEqual(["B."]);
    expect(anchorsOf("", "/* A. */\nconst once = (x) => {\n  return x;\n}\n\n")).toEqual([]);
  });

  const humanEval = "data/humaneval-x/humaneval_js.jsonl.gz";
  const skip = hasShared(humanEval) ? "" : ` (${WITHOUT_SHARED})`;
  it.skipIf(skip !== "")(`is found in each task of HumanEval-X${skip}`, () => {
    const tasks = parseTasks(readFileSync(shared(humanEval)), humanEval);
    expect(tasks).toHaveLength(164);
    for (const task of tasks) {
      expect(anchored(task).length, task.id).toBeGreaterThan(0);
      for (const line of anchored(task)) expect(line, task.id).not.toMatch(/>>>|\n|^\s|\s$|^Examples?:?$/);
      const completion = cutCompletion(task, `${task.canonicalSolution}const more = 1;\n`);
      expect(completion.trimEnd(), task.id).toBe(task.canonicalSolution.trimEnd());
    }
    expect(anchored(tasks[46] as Task).at(-1)).toContain("Do not use recursion.");
    expect(anchored(tasks[51] as Task)).toEqual([
      "removeVowels is a function that takes string and returns string without vowels.",
    ]);
  });
});
