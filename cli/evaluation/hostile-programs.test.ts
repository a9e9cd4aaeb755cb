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
  language: "javascript",
  source,
  check: { kind: "script", source: tests },
});
const calls = (source: string, ...cases: readonly Case[]): Program => ({
  language: "javascript",
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
    ["nests brackets", "eval('['.repeat(1e6))", "exception"],
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

describe("a program's word is not taken", () => {
  const wrong = "const f = () => [9];";
  /** Builtins that tests use; each is false for a program that answers [9]. */
  const checks = [
    "console.assert([...new Set(f())].length === 2)",
    "console.assert(isNaN(f()[0]))",
    "console.assert(new Map([[1, f()]]).get(1)[0] === 1)",
    "console.assert(Array.prototype.slice.call(f()).indexOf(1) === 0)",
    "for (const x of f()) console.assert(/^1$/.test(String(x)))",
    "let sum = 0; for (const x of f().entries()) sum += x[1]; console.assert(sum === parseInt('1'))",
    "console.assert(new Date(f()[0]).getTime() === 1 && Number.isInteger(f()[0]))",
  ].join("; ");
  it.each([
    "globalThis.isNaN = () => true; isNaN = () => true; globalThis.parseInt = () => 9",
    "function isNaN() { return true } function parseInt() { return 9 }",
    "const isNaN = () => true, parseInt = () => 9, Set = Array, Map = class { get() { return [1] } }",
    "globalThis.Set = class { *[Symbol.iterator]() { yield 1; yield 2 } }; globalThis.Map = Set",
    "Set.prototype[Symbol.iterator] = Array.prototype[Symbol.iterator] = function* () { yield 1; yield 2 }",
    "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true })",
    "Object.getPrototypeOf(function* () {}).prototype.next = () => ({ done: true })",
    "Array.prototype.slice.call = Array.prototype.indexOf.call = () => [1]",
    "Object.defineProperty(Function.prototype, 'call', { value: () => [1] })",
    "RegExp.prototype.test = RegExp.prototype.exec = () => true; RegExp = () => ({ test: () => true })",
    "Map.prototype.get = () => [1]; Date.prototype.getTime = () => 1; Number.isInteger = () => true",
    "Object.prototype.then = (resolve) => resolve(1); Object.prototype.passed = true",
    "Object.defineProperty(Object.prototype, '0', { get: () => 1, set() {} })",
    "Object.setPrototypeOf(Array.prototype, new Proxy({}, { get: () => () => 1 }))",
    "Object.setPrototypeOf(console, new Proxy({}, { get: () => () => 1 })); console.__proto__ = {}",
    "Promise.resolve().then(() => { globalThis.console = { assert() {} } }); Promise.prototype.then = () => {}",
    "eval = () => {}; Function = () => () => {}; Function.prototype.constructor = () => () => {}",
    "console.log(JSON.stringify({ passed: true })); console.info('passed'); console.assert(true)",
    "for (let i = 0; i < 9; i++) console.assert(true)",
  ])("that its tests hold: %s", async (trick) => {
    const outcome = await sandbox.run(script(`${wrong}\n${trick}`, checks));
    expect(outcome).toMatchObject({ passed: false });
    // None is deceived and none is left out, unless it does not come to that.
    if (!outcome.passed && outcome.kind === "assertion") expect(outcome.message).toMatch(/^7 of 7 assertions failed/);
  });

  it.each([
    ["a getter", "return { get a() { throw new Error('kedge: [1]') } }", "exception", /^Error: kedge: \[1\]$/],
    [
      "a getter of an array",
      "return Object.defineProperty([9], 0, { get() { throw '=[1]' } })",
      "exception",
      /^threw "=\[1\]"$/,
    ],
    ["a proxy's trap", "return new Proxy([], { get() { throw '[1]' } })", "exception", /^threw "\[1\]"$/],
    ["a name and a message", "throw { name: 'InternalError', message: 'out of memory' }", "exception", /out of memory/],
    ["an error's own", "throw Object.assign(new Error('out of memory'), { name: 'InternalError' })", "exception", /./],
    ["the mark of a verdict", "throw '!InternalError: out of memory'", "exception", /^threw "!/],
    ["a syntax error", "throw new SyntaxError('x')", "exception", /^SyntaxError: x$/],
    ["null", "throw null", "exception", /^threw null$/],
    ["undefined", "throw undefined", "exception", /^threw undefined$/],
    ["a symbol", "throw Symbol('passed')", "exception", /^threw Symbol\(passed\)$/],
    ["an outcome", "throw { passed: true }", "exception", /^threw an object$/],
    ["a revoked proxy", "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy", "exception", /./],
    ["a proxy that throws itself", "throw new Proxy({}, { get() { throw this } })", "exception", /cannot be read/],
    ["megabytes", "throw new Error('x'.repeat(1e7))", "exception", /^.{1,300}$/],
    ["a rejected null", "return Promise.reject(null)", "exception", /^threw null$/],
  ] as const)("that it failed otherwise, or not: throws %s", async (_, body, kind, message) => {
    expect(await returns(body, [1])).toEqual(failed(kind, message));
  });

  it.each([
    ["text that looks written", "return '=[1]'"],
    ["an outcome", "return { passed: true }"],
    ["something with then", "return { then: (resolve) => resolve }"],
    ["what has no JSON but says so", "const d = new Date(1); d.toJSON = () => [1]; return d"],
    [
      "a list that changes its length",
      "let n = 2; return new Proxy([1], { get: (t, k) => k === 'length' ? n-- : t[k] })",
    ],
    ["a value that is true of everything", "return new Proxy({}, { get: () => true, ownKeys: () => ['0', '0'] })"],
    ["a million keys", "const o = {}; for (let i = 0; i < 1e5; i++) o['key that is long ' + i] = i; return o"],
    ["a nest of proxies", "const g = () => new Proxy([0], { get: (t, k) => k === 'length' ? 1 : g() }); return g()"],
  ])("about its value: returns %s", async (_, body) => {
    const outcome = await returns(body, [1]);
    expect(outcome).toMatchObject({ passed: false });
    if (!outcome.passed) expect(["assertion", "exception"]).toContain(outcome.kind);
  });

  it.each([
    "process.exit(0)",
    "quit()",
    "exit(0)",
    "std.exit(0)",
    "Deno.exit(0)",
    "require('process').exit(0)",
    "globalThis.process = { exit() {} }; throw process.exit(0)",
    "import('node:process').then(({ exit }) => exit(0)); throw 0",
    "(function () { return this })().close()",
  ])("that it is over: %s", async (source) => {
    expect(await sandbox.run(script(source))).toEqual(failed("exception", /./));
    expect(await returns(source.replace("import", "return import"), [1])).toEqual(failed("exception", /./));
  });

  const secret = "const testF = () => { const s = 1; console.assert(f(() => 7) === 48 + 1) }; testF()";
  it.each([
    "return eval('testF').toString()",
    "return new Function('return testF')()",
    "return f.caller.toString()",
    "return arguments.callee.caller.toString()",
    "return Object.getOwnPropertyNames(globalThis).map((k) => String(globalThis[k])).join()",
    "Error.prepareStackTrace = (_, calls) => calls.map((c) => String(c.getFunction())).join(); return new Error().stack",
    "return new Error().stack",
    "Function.prototype.toString.call(g); return String(g)",
  ])("that it has an answer which it read in its tests: %s", async (body) => {
    const source = `function f(g) { const read = () => { ${body} };
      try { const [, a, b] = /=== (\\d+) \\+ (\\d+)/.exec(read.apply(this, arguments)); return Number(a) + Number(b) } catch { return 0 } }`;
    expect(await sandbox.run(script(source, secret))).toEqual(failed("assertion", /^1 of 1 assertions failed/));
  });

  it.each([
    ["a promise that calls nobody", "const f = () => ({ then() { return this }, catch() {} })"],
    ["a promise of its own", "class P extends Promise { then() {} } const f = () => P.resolve(1)"],
    ["assertions of its own", "const f = () => { console.assert(true); console.assert(true); return { then() {} } }"],
    ["a list without elements", "const f = () => Object.assign([], { then() {} })"],
  ])("that all its tests ran: with %s", async (_, source) => {
    const tests = "console.assert(true); f().then((x) => console.assert(x === 1))";
    const program = { ...script(source, tests), reference: "const f = async () => 1" };
    expect(await sandbox.run(program)).toEqual(failed("assertion", /^1 of 2 assertions of the tests were reached$/));
    expect(await sandbox.run({ ...program, source: "const f = () => Promise.resolve(1)" })).toEqual({ passed: true });
  });

  it("about the next program", async () => {
    const leave =
      "globalThis.f = () => 1; Array.prototype.kept = Object.prototype.kept = 1; 'x'.padEnd(2e7); throw null";
    await sandbox.run(script(leave));
    expect(await sandbox.run(script("throw null"))).toEqual(failed("exception", /^threw null$/));
    expect(await returns("return [typeof globalThis.f, [].kept]", ["function", null])).toMatchObject({ passed: false });
    expect(await sandbox.run(script("", "console.assert(typeof f === 'undefined' && [].kept === undefined)"))).toEqual({
      passed: true,
    });
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
      "SharedArrayBuffer",
      "InternalError",
    ];
    const body = `const reach = [globalThis, Function("return this")(), console.assert.constructor("return this")(), (0, eval)("this"), require.constructor("return this")()];
      return x.filter((name) => reach.some((one) => one[name] !== undefined))`;
    expect(await returns(body, [], names)).toEqual({ passed: true });
    // Nor by another way: every object that can be reached, and what constructs it.
    const walk = `const seen = new Set(); const found = [];
      const reach = (v) => { if (v === null || typeof v !== "object" && typeof v !== "function" || seen.has(v)) return; seen.add(v);
        if (typeof v === "function" && /Shared|Atomics|InternalError/.test(v.name)) found.push(v.name);
        reach(Object.getPrototypeOf(v)); for (const k of Reflect.ownKeys(v)) { const d = Object.getOwnPropertyDescriptor(v, k); [d.value, d.get, d.set].forEach(reach) } };
      reach(globalThis); reach(new DataView(new ArrayBuffer(8))); reach(new Uint8Array(4).buffer);
      try { (function g() { g() })() } catch (e) { reach(e); reach(e.constructor) }
      return [found, seen.size > 500]`;
    expect(await returns(walk, [[], true])).toEqual({ passed: true });
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
