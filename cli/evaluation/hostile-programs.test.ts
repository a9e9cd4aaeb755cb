// Programs that hang, hoard, overflow, cheat or look for the host: each is a counted failure, and the next program runs.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "./bundled-worker.ts";
import type { FailureKind, Outcome } from "./outcome.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";
import type { Case, Json, Program } from "./task.ts";

let worker: BundledWorker;
let sandbox: Sandbox;
/** For programs that do not end by themselves. */
let hasty: Sandbox;
beforeAll(async () => {
  worker = await bundleWorker();
  sandbox = openSandbox({ workerUrl: worker.url, limits: { timeMs: 20_000, memoryBytes: 32 << 20 } });
  hasty = openSandbox({ workerUrl: worker.url, limits: { timeMs: 300 } });
});
afterAll(async () => {
  await Promise.all([sandbox.dispose(), hasty.dispose()]);
  worker.remove();
});

const script = (source: string, tests = "console.assert(true)"): Program => ({
  source,
  check: { kind: "script", source: tests },
});
const calls = (source: string, ...cases: readonly Case[]): Program => ({
  source,
  check: { kind: "cases", entryPoint: "f", cases },
});
/** What a function body returns, judged against an expected value. */
const returns = (body: string, expected: Json, input: Json = null): Promise<Outcome> =>
  sandbox.run(calls(`function f(x) { ${body} }`, { input, expected }));
const failed = (kind: FailureKind, message: RegExp): object => ({
  passed: false,
  kind,
  message: expect.stringMatching(message),
});

describe("a program that does not end, or takes too much", () => {
  it.each([
    ["loops", "for (;;);"],
    ["loops past every catch", "for (;;) try { for (;;); } catch {} finally { continue }"],
    ["backtracks", "/^(a+)+$/.test('a'.repeat(40) + 'b')"],
    ["hangs in a builtin that cannot be interrupted", "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)"],
    ["hangs while it is read", "throw { get message() { for (;;); } }"],
    ["promises without end", "const g = () => Promise.resolve().then(g); g()"],
    ["awaits without end", "(async () => { for (;;) await 1; })()"],
  ])("times out if it %s", async (_, source) => {
    expect(await hasty.run(script(source))).toEqual(failed("timeout", /^ran longer than 300 ms$/));
    expect(await hasty.run(script("const one = 1", "console.assert(one === 1)"))).toEqual({ passed: true });
  });

  it("is stopped by the interpreter itself where that can be", async () => {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const begin = performance.now();
      await hasty.run(script("for (;;);"));
      times.push(performance.now() - begin);
    }
    expect(Math.min(...times)).toBeLessThan(1200); // the thread would be ended after 1300 ms
  });

  it("times out in its tests and calls too", async () => {
    const late = failed("timeout", /^ran longer than 300 ms$/);
    expect(await hasty.run(script("", "console.assert(true); for (;;);"))).toEqual(late);
    expect(await hasty.run(calls("function f() { for (;;); }", { input: 1, expected: 1 }))).toEqual(late);
    expect(
      await hasty.run(calls("function f() { return { get a() { for (;;); } } }", { input: 1, expected: 1 })),
    ).toEqual(late);
    expect(await hasty.run(calls("async function f() { for (;;) await 1; }", { input: 1, expected: 1 }))).toEqual(late);
  });

  it.each([
    ["objects", "const a = []; for (;;) a.push({ a: a.length })"],
    ["keys", "const o = {}; for (let i = 0; ; i++) o['k' + i] = i"],
    ["one string", "'a'.padEnd(2 ** 30 - 2, 'b')"],
    ["one array", "const a = new Array(1e9).fill(1)"],
    ["buffers", "const a = []; for (;;) a.push(new Uint8Array(1e6))"],
    ["closures", "let g = () => 1; for (;;) { const h = g; g = () => h; }"],
  ])("runs out of memory with %s", async (_, source) => {
    expect(await sandbox.run(script(source))).toEqual(failed("memory", /^out of memory$/));
    expect(await sandbox.run(script("const one = 1", "console.assert(one === 1)"))).toEqual({ passed: true });
  });

  it.each([
    ["calls itself", "(function g() { return g() + 1 })()", "exception"],
    ["reads itself as text", "const o = { toString: () => `${o}` }; `${o}`", "exception"],
    ["nests brackets", "eval('['.repeat(1e6))", "syntax"],
    ["nests parentheses", "(".repeat(1e5), "syntax"],
  ] as const)("overflows its stack if it %s", async (_, source, kind) => {
    expect(await sandbox.run(script(source))).toEqual(failed(kind, /stack overflow/));
  });

  it("recurses about as deep as elsewhere", async () => {
    expect(await returns("return (function g(n) { return n === 0 ? 0 : 1 + g(n - 1) })(8000)", 8000)).toEqual({
      passed: true,
    });
  });
});

describe("the tests of a program", () => {
  // Each tries to make a wrong answer pass.
  const wrong = "const f = () => [9];";
  const checks = [
    "console.assert(f()[0] === 1)",
    "console.assert(JSON.stringify(f()) === JSON.stringify([1]))",
    "console.assert(Math.abs(f()[0] - 1) < 1e-6)",
    "console.assert([1].map((x) => x)[0] === f()[0])",
    "console.assert(f().join() === '1')",
  ];
  it.each([
    "console.assert = () => {}",
    "globalThis.console = { assert() {} }",
    "var console = { assert() {} }",
    "const console = { assert() {} }",
    "function console() {} console.assert = () => {}",
    "delete globalThis.console; delete console.assert",
    "Object.defineProperty(globalThis, 'console', { value: { assert() {} } })",
    "Object.defineProperty(console, 'assert', { value() {} })",
    "Object.setPrototypeOf(console, { assert() {} })",
    "console.assert.call = console.assert.apply = () => {}",
    "JSON.stringify = () => 'same'",
    "globalThis.JSON = { stringify: () => 'same' }",
    "var JSON = { stringify: () => 'same' }",
    "const JSON = { stringify: () => 'same' }",
    "Object.defineProperty(JSON, 'stringify', { value: () => 'same' })",
    "Object.prototype.toJSON = () => 'same'",
    "Array.prototype.toJSON = () => 'same'",
    "Object.defineProperty(Array.prototype, 'toJSON', { value: () => 'same' })",
    "Object.defineProperty(Array.prototype, 'toJSON', { get: () => () => 'same' })",
    "Array.prototype.__proto__ = { toJSON: () => 'same' }; ",
    "Number.prototype.toJSON = Array.prototype.toJSON = () => 'same'",
    "Array.prototype.map = () => [9]",
    "Reflect.defineProperty(Array.prototype, 'map', { value: () => [9] })",
    "Array.prototype.join = () => '1'; Array = undefined",
    "Math.abs = () => 0; Math = { abs: () => 0 }",
    "Function.prototype.call = Function.prototype.apply = () => true",
    "throw { get message() { throw this }, toString() { throw this } }",
    "throw new Proxy(() => {}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
    "/* and never closed",
    "if (false) {",
    "`",
  ])("are not deceived by %s", async (trick) => {
    for (const check of checks) {
      const outcome = await sandbox.run(script(`${wrong}\n${trick}`, check));
      expect(outcome, check).toMatchObject({ passed: false });
      if (!outcome.passed) expect(["assertion", "exception", "syntax"]).toContain(outcome.kind);
    }
  });

  it.each([
    "JSON.stringify = JSON.parse = () => 1",
    "Object.keys = () => []",
    "Array.isArray = () => false",
    "Array.prototype.sort = () => []",
    "Object.getPrototypeOf = () => null",
    "globalThis.String = () => '1'",
    "String.prototype.slice = () => ''",
    "Object.prototype.toString = () => '1'",
    "Array.prototype.toJSON = Object.prototype.toJSON = () => 1",
  ])("that are calls are not deceived by %s", async (trick) => {
    const source = `${trick}\nfunction f() { ${trick}; return [9] }`;
    const message = "case 1 of 1: f(null) returned [9], wanted [1]";
    expect(await sandbox.run(calls(source, { input: null, expected: [1] }))).toEqual({
      passed: false,
      kind: "assertion",
      message,
    });
  });

  it("leave to a program what programs do", async () => {
    const source = `
      Array.prototype.last = function () { return this[this.length - 1] };
      String.prototype.trim = function () { return "own" };
      const count = {};
      for (const word of ["constructor", "toString", "a", "constructor"]) {
        if (!count.hasOwnProperty(word)) count[word] = 0;
        count[word]++;
      }
      class Stack extends Array { push(x) { return super.push(x, x) } }
      const stack = new Stack(); stack.push(3);
      function Old() {} Old.prototype = Object.create(Error.prototype); Old.prototype.constructor = Old;
      const old = new Old(); old.message = "m"; old.name = "n";
      class Money { toJSON() { return "money" } }
      const plain = { toJSON() { return 1 } }; const late = {}; late.toJSON = () => 2;
      function escape(x) { return x }
      const f = () => [[1, 2].last(), " a ".trim(), count.constructor, count.toString, stack.length, String(old),
        old.constructor === Old, JSON.stringify([new Money(), plain, late]), escape("<"), [...new Set([1, 1])], typeof global];`;
    const expected = [2, "a", 2, 1, 2, "n: m", true, '["money",1,2]', "<", [1], "object"];
    expect(await sandbox.run(calls(source, { input: null, expected }))).toEqual({ passed: true });
  });
});

describe("the sandbox", () => {
  it("offers nothing of its host", async () => {
    const names = [
      "process",
      "Buffer",
      "fetch",
      "setTimeout",
      "WebAssembly",
      "Worker",
      "Deno",
      "module",
      "exports",
      "os",
      "std",
      "performance",
      "Atomics",
    ];
    const body = `const reach = [globalThis, Function("return this")(), console.assert.constructor("return this")(), (0, eval)("this"), require.constructor("return this")()];
      return x.filter((name) => reach.some((one) => one[name] !== undefined))`;
    expect(await returns(body, [], names)).toEqual({ passed: true });
    expect(
      await returns(
        "return (async () => { try { await import('node:fs'); return 'in' } catch { return 'out' } })()",
        "out",
      ),
    ).toEqual({ passed: true });
    for (const name of ["fs", "child_process", "__proto__", "constructor"])
      expect(await returns("return require(x)", null, name)).toEqual(
        failed("exception", new RegExp(`Cannot find module '${name}'`)),
      );
  });
});
