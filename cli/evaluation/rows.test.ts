import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FormatError } from "kedge/loaders";
import { hasShared, shared, WITHOUT_SHARED } from "../../tests/support/shared.ts";
import { cutCompletion, programOf, type Task } from "./task.ts";
import { parseTasks } from "./tasks.ts";

const humanEval = {
  task_id: "HumanEval/0",
  prompt: `from typing import List

def twice(x: int) -> int:
    """Double a number.
    Negative ones, too: twice(-1) is -2.
    >>> twice(2)
    4
    >>> twice(-1) # below
    -2
    """
`,
  entry_point: "twice",
  canonical_solution: "    return 2 * x\n",
  test: "def check(candidate):\n    assert candidate(3) == 6\n",
};
const mbpp = {
  task_id: 7,
  text: "Write a function to double a number.",
  code: "def half(x):\r\n\treturn x / 2\r\ndef twice(x):\r\n\treturn 2 * x\r\n",
  test_list: ["assert twice(2) == 4", "assert twice(3) == 6"],
  test_setup_code: "n = 1\r\nm = 2",
  challenge_test_list: ["assert twice(4) == 8"],
};
const mbppPlus = {
  task_id: 8,
  prompt: "Write a function to double a number.",
  code: "\ndef twice(x):\n  return 2 * x\n",
  source_file: "a notebook",
  test_imports: ["import math"],
  test_list: ["assert math.isclose(twice(2), 4)"],
  test: "for x in range(9):\n    assert twice(x) == x + x\n",
};
const mbxp = {
  task_id: "MBJSP/7",
  prompt: "/**\n * * Write a function to double a number.\n *\n * > twice(2)\n * 4\n */\nfunction twice(x) {\n",
  entry_point: "twice",
  test: `const _ = require("lodash")
function compare(a, b){
    return _.isEqual(a, b)
}
var x0 = twice(2);
var v0 = 4;
if(!compare(x0, v0)){
    throw 'Error at 1th assert statement. Value = ' + JSON.stringify(x)  
}
`,
  description: "Write a function to double a number.",
  language: "javascript",
  canonical_solution: null,
};
const humanEvalX = {
  task_id: "JavaScript/0",
  prompt: "/* Double a number.\n  >>> twice(2)\n  4\n  */\nconst twice = (x) => {\n",
  canonical_solution: "  return 2 * x;\n}\n",
  test: "console.assert(twice(3) === 6)\n",
  declaration: "\nconst twice = (x) => {\n",
  example_test: "console.assert(twice(2) === 4)\n",
};

const read = (row: object): Task => parseTasks(Buffer.from(JSON.stringify(row)), "t")[0]!;
const anchored = ({ prompt, anchors }: Task): string[] => anchors.map(({ begin, end }) => prompt.slice(begin, end));

describe("a row of HumanEval", () => {
  it("is continued in its function, anchored in its prose, and checked by its own function", () => {
    const task = read(humanEval);
    expect(task).toMatchObject({
      id: "HumanEval/0",
      format: "humaneval",
      language: "python",
      prompt: humanEval.prompt,
      entryPoint: "twice",
      stop: "python-body",
      check: { kind: "script", source: `${humanEval.test}check(twice)\n` },
      examples: { kind: "script", source: "assert (twice(2)) == (4)\nassert (twice(-1)) == (-2)\n" },
    });
    expect(anchored(task)).toEqual(["Double a number.", "Negative ones, too: twice(-1) is -2."]);
    const completion = cutCompletion(task, `${task.canonicalSolution}\nprint(twice(1))\n`);
    expect(programOf(task, completion)).toEqual({
      language: "python",
      source: humanEval.prompt + humanEval.canonical_solution,
      check: task.check,
      entryPoint: "twice",
      reference: humanEval.prompt + humanEval.canonical_solution,
    });
    expect(programOf(task, completion, task.examples).check).toEqual(task.examples);
  });

  it("may have no docstring, and then neither anchors nor examples", () => {
    const task = read({ ...humanEval, prompt: 'def twice(x, y="""a""", z=1):\n' });
    expect(task.anchors).toEqual([]);
    expect(task.examples).toBeUndefined();
  });

  it.each([
    ["Examples:\n    twice(1) == 2\n    twice(2) ➞ 4", ["twice(1)", "2", "twice(2)", "4"]],
    ["For example:\n    * twice([1,\n  2]) => (1, 2)", ["twice([1,\n  2])", "(1, 2)"]],
    ["E.g.\n    assert twice('a)') ==> \"b\\n\"", ["twice('a)')", '"b\\n"']],
    ["Example: it\n    twice(1) returns true\n    twice(2) # => False (no)", ["twice(1)", "True", "twice(2)", "False"]],
    [
      "Examples:\n    twice(1) = {'a': -1.5e3}\n    twice(2) -> None.",
      ["twice(1)", "{'a': -1.5e3}", "twice(2)", "None"],
    ],
    ["Examples:\n    twice(a) => 1\n    twice(2) == 1 + 1\n    twice(3)\n    twice(4) is 8", []],
    ["Examples:\n    twice(1) == 1x\n    twice(2) == [3\n    twice(3) == ]", []],
    [">>> twice(1)\n\n    >>> twice(round(2.5), 1)\n    [2]", ["twice(1)", "None", "twice(round(2.5), 1)", "[2]"]],
    [">>> twice('#') # one\n    '##'\n    >>> twice(2)\n    prose\n    >>> twice(3)", ["twice('#')", "'##'"]],
  ])("has the examples of %j", (docstring, wanted) => {
    const prompt = `def twice(x):\n    """Double. twice(0) == 0\n    ${docstring}\n    """\n`;
    const lines = Array.from(
      { length: wanted.length / 2 },
      (_, i) => `assert (${wanted[2 * i]}) == (${wanted[2 * i + 1]})\n`,
    );
    expect(read({ ...humanEval, prompt }).examples).toEqual(
      wanted.length === 0 ? undefined : { kind: "script", source: lines.join("") },
    );
  });
});

describe("a row of MBPP", () => {
  it("is a docstring of the description and the first test, and the description is anchored", () => {
    const task = read(mbpp);
    expect(task).toEqual({
      id: "MBPP/7",
      format: "mbpp",
      language: "python",
      prompt: '"""\nWrite a function to double a number.\nassert twice(2) == 4\n"""\n',
      anchors: [{ begin: 4, end: 40 }],
      entryPoint: "twice",
      canonicalSolution: "def half(x):\n\treturn x / 2\ndef twice(x):\n\treturn 2 * x\n",
      stop: { kind: "python-program", entryPoint: "twice" },
      check: { kind: "script", source: "n = 1\nm = 2\nassert twice(2) == 4\nassert twice(3) == 6\n" },
      examples: { kind: "script", source: "n = 1\nm = 2\nassert twice(2) == 4\n" },
    });
    expect(anchored(task)).toEqual([mbpp.text]);
    expect(cutCompletion(task, `${task.canonicalSolution}assert twice(1)\n`)).toBe(task.canonicalSolution);
  });

  it("of MBPP+ has its own tests", () => {
    expect(read(mbppPlus)).toMatchObject({
      id: "MBPP/8",
      format: "mbpp-plus",
      prompt: '"""\nWrite a function to double a number.\nassert math.isclose(twice(2), 4)\n"""\n',
      check: { kind: "script", source: `import math\n${mbppPlus.test}` },
      examples: { kind: "script", source: "import math\nassert math.isclose(twice(2), 4)\n" },
    });
  });

  it("of the sanitized part has its description in its prompt", () => {
    const { test: _, ...sanitized } = mbppPlus;
    expect(read(sanitized)).toMatchObject({
      format: "mbpp",
      check: { kind: "script", source: "import math\nassert math.isclose(twice(2), 4)\n" },
    });
  });
});

describe("a row in JavaScript", () => {
  it("of MBXP asserts what it compares, and shows what it asserts", () => {
    const task = read(mbxp);
    const source = mbxp.test.replace(/if[^]*\}\n$/, "console.assert(compare(x0, v0));\n");
    expect(task).toMatchObject({
      format: "mbxp",
      language: "javascript",
      entryPoint: "twice",
      canonicalSolution: "",
      stop: "line-begins-with-brace",
      check: { kind: "script", source },
    });
    expect(task.examples).toEqual(task.check);
    expect(anchored(task)).toEqual(["Write a function to double a number."]);
    expect(programOf(task, "}\n").reference).toBeUndefined();
  });

  it("of HumanEval-X has the tests of its examples, if they assert something", () => {
    expect(read(humanEvalX).examples).toEqual({ kind: "script", source: humanEvalX.example_test });
    expect(read({ ...humanEvalX, example_test: "const test = () => {}\n" }).examples).toBeUndefined();
  });
});

it.each<[string, object, string]>([
  ["no fields", {}, "has no fields: wanted "],
  ["fields of nothing", { a: 1, b: 2 }, 'has the fields "a", "b": wanted '],
  [
    "many fields",
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`.repeat(30), 1])),
    `has the fields ${Array.from({ length: 12 }, (_, i) => JSON.stringify(`f${i}`.repeat(30).slice(0, 40))).join(", ")} and 8 more: wanted "anchor_ranges", `,
  ],
  ["HumanEval-X in Go", { ...humanEvalX, task_id: "Go/0" }, "is HumanEval-X in Go, wanted JavaScript"],
  [
    "HumanEval-X in Python",
    { ...humanEvalX, task_id: "Python/0" },
    "is HumanEval-X in Python, wanted JavaScript: HumanEval has these tasks in Python",
  ],
  ["MBXP in Java", { ...mbxp, language: "java" }, "is MBXP in java, wanted javascript"],
  [
    "MBXP in Python",
    { ...mbxp, language: "Python" },
    "is MBXP in python, wanted javascript: MBPP has these tasks in Python",
  ],
  [
    "HumanEval in JavaScript",
    { ...humanEval, prompt: "function twice(x) {\n" },
    '"prompt" has no function twice in Python',
  ],
  ["HumanEval without tests", { ...humanEval, test: "" }, '"test" is empty'],
  ["MBPP with a name", { ...mbpp, task_id: "MBPP/1" }, '"task_id" is a string, wanted a whole number'],
  ["MBPP without tests", { ...mbpp, test_list: [] }, '"test_list" is empty, and its first test is part of the prompt'],
  ["MBPP with a number for a test", { ...mbpp, test_list: [1] }, '"test_list"[0] is a number, wanted a string'],
  ["MBPP with text for tests", { ...mbpp, test_list: "x" }, '"test_list" is a string, wanted an array'],
  [
    "MBPP that tests something else",
    { ...mbpp, test_list: ["f(1)"] },
    '"test_list"[0] calls no function that "code" defines',
  ],
])("refuses %s in one sentence", (_, row, message) => {
  expect(() => read(row)).toThrow(FormatError);
  expect(() => read(row)).toThrow(`t: line 1: ${message}`);
});

describe.each<[string, string, number, number]>([
  ["HumanEval", "data/humaneval/HumanEval.jsonl.gz", 164, 132],
  ["HumanEval+", "data/humaneval-plus/HumanEvalPlus-OriginFmt.jsonl.gz", 164, 132],
  ["MBPP", "data/mbpp/mbpp.jsonl.gz", 974, 974],
  ["MBPP+", "data/mbpp-plus/MbppPlus-OriginFmt.jsonl.gz", 378, 378],
  ["MBXP", "data/mbxp/mbjsp_release_v1.2.jsonl.gz", 966, 966],
])("%s", (_, path, count, examples) => {
  const skip = hasShared(path) ? "" : ` (${WITHOUT_SHARED})`;
  it.skipIf(skip !== "")(`is read as a whole${skip}`, () => {
    const tasks = parseTasks(readFileSync(shared(path)), path);
    expect(tasks).toHaveLength(count);
    expect(tasks.filter((task) => task.examples !== undefined)).toHaveLength(examples);
    for (const task of tasks) {
      expect(anchored(task).length, task.id).toBeGreaterThan(0);
      for (const line of anchored(task)) expect(line, task.id).not.toMatch(/>>>|\n[ \t]*assert|^\s|\s$|^Examples?:?$/);
      if (task.language !== "python") continue;
      const more = "\nprint(1)\n";
      expect(cutCompletion(task, task.canonicalSolution + more).trimEnd(), task.id).toBe(
        task.canonicalSolution.trimEnd(),
      );
    }
  });
});
