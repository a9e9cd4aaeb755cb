import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "./bundled-worker.ts";
import type { Outcome } from "./outcome.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";

let worker: BundledWorker;
let sandbox: Sandbox;
beforeAll(async () => {
  worker = await bundleWorker();
  sandbox = openSandbox({ workerUrl: worker.url, limits: { timeMs: 20_000 } });
});
afterAll(async () => {
  await sandbox.dispose();
  worker.remove();
});

const judge = (source: string, tests: string): Promise<Outcome> =>
  sandbox.run({
    language: "javascript",
    source,
    check: { kind: "script", source: `const _ = require("lodash");\n${tests}` },
  });

describe("isEqual in the sandbox", () => {
  // What lodash 4.17.21 gives.
  it.each<[string, string, boolean]>([
    ["1", "1", true],
    ["1", "2", false],
    ["0", "-0", true],
    ["NaN", "NaN", true],
    ["1", "'1'", false],
    ["null", "undefined", false],
    ["1n", "1n", true],
    ["[1, [2, 3]]", "[1, [2, 3]]", true],
    ["[1, 2]", "[2, 1]", false],
    ["[1]", "[1, 2]", false],
    ["[, 1]", "[undefined, 1]", true],
    ["[1]", "{ 0: 1, length: 1 }", false],
    ["Object.assign([1], { x: 1 })", "[1]", true],
    ["{ a: 1, b: [2] }", "{ b: [2], a: 1 }", true],
    ["{ a: 1 }", "{ a: 2 }", false],
    ["{ a: undefined }", "{}", false],
    ["{ a: undefined }", "{ b: undefined }", false],
    ["Object.create(null)", "{}", true],
    ["{ [Symbol.for('a')]: 1 }", "{}", false],
    ["new A()", "new A()", true],
    ["new A()", "{ x: 1 }", false],
    ["{ constructor: 1 }", "{ constructor: 1 }", true],
    ["(function () { return arguments; })(1)", "{ 0: 1 }", true],
    ["new Set([1, 2])", "new Set([2, 1])", true],
    ["new Set([1, 2])", "new Set([1, 3])", false],
    ["new Set([1])", "[1]", false],
    ["new Set([[1, 2]])", "new Set([[2, 1]])", true],
    ["new Set([{ a: [1, 2] }])", "new Set([{ a: [2, 1] }])", true],
    ["new Set([[1], [1]])", "new Set([[1], [2]])", false],
    ["new Map([[1, 2]])", "{ 1: 2 }", false],
    ["() => 1", "() => 1", false],
  ])("of %s and %s is %s", async (a, b, wanted) => {
    const source = "class A { constructor() { this.x = 1; } }";
    const tests = `console.assert(_.isEqual(${a}, ${b}) === ${wanted}); console.assert(_.isEqual(${b}, ${a}) === ${wanted});`;
    expect(await judge(source, tests)).toEqual({ passed: true });
  });

  it.each([
    ["Map", "new Map()"],
    ["Date", "new Date(0)"],
    ["RegExp", "/a/"],
  ])("names a %s, which it does not compare", async (kind, value) => {
    expect(await judge("", `console.assert(_.isEqual(${value}, ${value}));`)).toEqual({
      passed: false,
      kind: "exception",
      message: `TypeError: the isEqual of this sandbox does not compare two values of the kind ${kind}`,
    });
  });

  it.each([
    ["takes the place of require", "globalThis.require = () => ({ isEqual: () => true });"],
    ["declares require", "function require() { return { isEqual: () => true }; }"],
    ["changes lodash", "require('lodash').isEqual = () => true;"],
    ["changes sets and lists", "Set.prototype.forEach = Array.prototype.every = Object.is = () => true;"],
    ["has a tag of its own", "const f = () => ({ get [Symbol.toStringTag]() { return 'Set'; } });"],
  ])("is what it is for a program that %s", async (_, source) => {
    expect(await judge(source, "console.assert(_.isEqual(typeof f === 'function' ? f() : [1], [2]));")).toMatchObject({
      passed: false,
    });
  });
});
