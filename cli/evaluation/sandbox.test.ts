import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "./bundled-worker.ts";
import type { FailureKind, Outcome } from "./outcome.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";
import type { Case, Json, Program } from "./task.ts";
import { isFullExtent } from "../../tests/support/extent.ts";

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

const open = (options: Parameters<typeof openSandbox>[0]) => () => openSandbox(options);

describe("a program with a script of tests", () => {
  it("passes if all assertions hold", async () => {
    const tests = "console.assert(f(1) === 2); console.assert(f(2) === 4, 'twice'); console.log(f)";
    expect(await sandbox.run(script("const f = (x) => 2 * x", tests))).toEqual({ passed: true });
    expect(await sandbox.run(script("const f = (x) => 3 * x", tests))).toEqual({
      passed: false,
      kind: "assertion",
      message: "2 of 2 assertions failed, number 1 first",
    });
    expect(await sandbox.run(script("const f = (x) => x + 1", tests))).toEqual({
      passed: false,
      kind: "assertion",
      message: "1 of 2 assertions failed, number 2 first",
    });
  });

  it.each<[string, string, string, object]>([
    ["does not parse", "const f = (", "", failed("syntax", /^SyntaxError/)],
    ["declares a name twice", "let f = 1", "let f = 2; console.assert(true)", failed("syntax", /redefinition/)],
    ["throws", "null.x", "", failed("exception", /^TypeError/)],
    ["throws in its tests", "", "console.assert(true); f()", failed("exception", /^ReferenceError: .*f/)],
    ["throws after a false assertion", "", "console.assert(0); f()", failed("assertion", /^1 of 1/)],
    ["throws text", "throw 'no'", "", failed("exception", /^threw "no"$/)],
    ["throws null", "throw null", "", failed("exception", /^threw null$/)],
    ["asserts nothing", "", "", failed("assertion", /^the tests asserted nothing$/)],
    ["asserts itself what the tests do not", "console.assert(true)", "", failed("assertion", /asserted nothing/)],
    [
      "rejects what it awaits before asserting",
      "",
      "(async () => { await null.x; console.assert(true) })()",
      failed("assertion", /asserted nothing/),
    ],
    [
      "asserts a falsehood later",
      "",
      "Promise.resolve().then(() => console.assert(false))",
      failed("assertion", /^1 of 1/),
    ],
    ["asserts truth later", "", "(async () => { await 1; await 2; console.assert(true) })()", { passed: true }],
  ])("that %s", async (_, source, tests, outcome) => {
    expect(await sandbox.run(script(source, tests))).toEqual(outcome);
  });
});

describe("a program that is called", () => {
  it("passes if every case does, each with an input of its own", async () => {
    const source = "function f(xs) { xs.push(1); return xs.length; }";
    const input = [7, 7];
    expect(await sandbox.run(calls(source, { input, expected: 3 }, { input, expected: 3 }))).toEqual({ passed: true });
  });

  it("fails with the first wrong case, and both values", async () => {
    const source = "function f(x) { return [x, 'b'] }";
    const outcome = await sandbox.run(
      calls(source, { input: 1, expected: [1, "b"] }, { input: { k: 2 }, expected: ["b"] }),
    );
    const message = `case 2 of 2: f({"k":2}) returned [{"k":2},"b"], wanted ["b"]`;
    expect(outcome).toEqual({ passed: false, kind: "assertion", message });
  });

  it.each<[string, string, object]>([
    ["does not define it", "", failed("exception", /^ReferenceError/)],
    ["defines something else", "let f = [1]", failed("exception", /^f is an array, not a function$/)],
    ["defines null", "let f = null", failed("exception", /^f is null, not a function$/)],
    ["throws", "function f() { throw new RangeError('far') }", failed("exception", /^RangeError: far$/)],
    ["rejects", "async function f() { throw new Error('late') }", failed("exception", /^Error: late$/)],
    [
      "never resolves",
      "function f() { return new Promise(() => {}) }",
      failed("assertion", /a promise that nothing resolves/),
    ],
    ["resolves", "async function f() { await 1; return 5 }", { passed: true }],
    ["is an arrow function", "const f = () => 5", { passed: true }],
    ["is a class", "class f {}", failed("exception", /^TypeError/)],
  ])("that %s", async (_, source, outcome) => {
    expect(await sandbox.run(calls(source, { input: null, expected: 5 }))).toEqual(outcome);
  });
});

describe("values", () => {
  it.each<[string, Json]>([
    ["return -0", 0],
    ["return 0", -0],
    ["return 0.1 + 0.2", 0.30000000000000004],
    ["return 1e21", 1e21],
    ["return { b: [1, { c: null }], a: 'é\\u2028\\ud800' }", { a: "é\u2028\ud800", b: [1, { c: null }] }],
    ["return { a: 1, b: undefined }", { a: 1 }],
    ["return Object.assign(Object.create(null), { a: 1 })", { a: 1 }],
    ["return { __proto__: null, ['__proto__']: 1 }", JSON.parse('{"__proto__":1}') as Json],
    ["return NaN", "NaN"],
    ["return [-Infinity]", ["-Infinity"]],
    ["return { length: 1, 10: 1, 9: 2 }", { 9: 2, 10: 1, length: 1 }],
    ["return x", { deep: [[], {}, "", false] }],
  ])("%s equals %j", async (body, expected) => {
    expect(await returns(body, expected, { deep: [[], {}, "", false] })).toEqual({ passed: true });
  });

  it.each<[string, Json, string]>([
    ["return NaN", null, '"NaN"'],
    ["return", null, "undefined"],
    ["return [undefined]", [null], "[undefined]"],
    ["return [, 1]", [null, 1], "[undefined,1]"],
    ["return [1, , ]", [1], "[1,undefined]"],
    ["return '1'", 1, '"1"'],
    ["return 1", true, "1"],
    ["return 1n", 1, "1n"],
    ["return { 0: 1, length: 1 }", [1], '{"0":1,"length":1}'],
    ["return []", {}, "[]"],
    ["return new Map()", {}, "(an object that is not plain)"],
    ["return new Set([1])", [1], "(an object that is not plain)"],
    ["return new Date(0)", "1970-01-01T00:00:00.000Z", "(an object that is not plain)"],
    ["return new String('a')", "a", "(an object that is not plain)"],
    ["return new (class { a = 1 })()", { a: 1 }, "(an object that is not plain)"],
    ["return () => 1", 1, "(a function)"],
    ["return Symbol.iterator", null, "(a symbol)"],
    ["return { toJSON: () => 5 }", 5, '{"toJSON":(a function)}'],
    ["return { valueOf: () => 5 }", 5, '{"valueOf":(a function)}'],
    ["const a = []; a.push(a); return a", [], "a value nested more than 256 deep"],
    ["return 'x'.repeat(2 ** 21)", "x", "a value of more than 1048576 characters"],
    ["return new Array(2 ** 32 - 1)", [], "a value of more than 1048576 characters"],
  ])("%s does not equal %j", async (body, expected, shown) => {
    const message = `case 1 of 1: f(null) returned ${shown}, wanted ${JSON.stringify(expected)}`;
    expect(await returns(body, expected)).toEqual({ passed: false, kind: "assertion", message });
  });

  it("that cannot be read are exceptions", async () => {
    expect(await returns("return { get a() { throw new Error('mine') } }", {})).toEqual(
      failed("exception", /^Error: mine$/),
    );
    expect(await returns("return new Proxy({}, { ownKeys() { throw 1 } })", {})).toEqual(
      failed("exception", /^threw 1$/),
    );
  });
});

describe("the sandbox", () => {
  it("has digests, for the task that asks for one", async () => {
    const text = "é and more";
    const digest = (name: string, form: "hex" | "base64"): string => createHash(name).update(text).digest(form);
    expect(await returns("return require('js-md5')(x)", digest("md5", "hex"), text)).toEqual({ passed: true });
    const chain =
      "return require('crypto').createHash('sha256').update(x.slice(0, 3)).update(x.slice(3)).digest('base64')";
    expect(await returns(chain, digest("sha256", "base64"), text)).toEqual({ passed: true });
    expect(await returns("return require('crypto').createHash('no').update(x).digest('hex')", "", text)).toEqual(
      failed("exception", /Digest method not supported: no/),
    );
  });

  it("keeps programs apart", async () => {
    const leave = "var mark = 1; Object.prototype.mark = 1; globalThis.mark = 1; Promise.mark = 1; require.mark = 1";
    expect(await sandbox.run(script(leave))).toEqual({ passed: true });
    const look = "return [typeof mark, ({}).mark, Promise.mark, require.mark].join()";
    expect(await returns(look, "undefined,,,")).toEqual({ passed: true });
  });

  it("runs many programs without growing", async () => {
    const hoard = script(
      "var kept = []; for (let i = 0; i < 1e5; i++) kept.push({ i }); kept.kept = kept; Promise.reject(kept)",
    );
    const rounds = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) expect(await sandbox.run(hoard)).toEqual({ passed: true });
    };
    await rounds(isFullExtent ? 100 : 40);
    const before = process.memoryUsage.rss();
    await rounds(isFullExtent ? 300 : 80);
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(150);
  }, 60_000);

  it("runs as many at a time as it has workers, and answers each its own", async () => {
    await using pair = openSandbox({ workerUrl: worker.url, workers: 2 });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => pair.run(calls(`const f = () => ${i}`, { input: null, expected: i % 3 }))),
    );
    expect(answers.map(({ passed }) => passed)).toEqual(Array.from({ length: 12 }, (_, i) => i < 3));
  });

  it("stops at a signal, and runs on", async () => {
    const controller = new AbortController();
    const running = sandbox.run(script("for (;;);"), controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(running).rejects.toThrow("enough");
    await expect(sandbox.run(script(""), controller.signal)).rejects.toThrow("enough");
    expect(await sandbox.run(script(""))).toEqual({ passed: true });
  });

  it("is over when disposed", async () => {
    const gone = openSandbox({ workerUrl: worker.url });
    const running = gone.run(script("for (;;);"));
    const waiting = gone.run(script(""));
    const both = Promise.allSettled([running, waiting]);
    setTimeout(() => void gone.dispose(), 200);
    for (const result of await both)
      expect(result).toMatchObject({ status: "rejected", reason: { message: "the sandbox was disposed" } });
    await expect(gone.run(script(""))).rejects.toThrow("the sandbox was disposed");
  });

  it("says what is wrong with its settings", async () => {
    expect(open({ workers: 0 })).toThrow("workers is 0");
    expect(open({ limits: { timeMs: 0 } })).toThrow("timeMs is 0");
    expect(open({ limits: { memoryBytes: 1000 } })).toThrow("memoryBytes is 1000, wanted 1048576 to 1073741824");
    await using lost = openSandbox({ workerUrl: new URL("no-such-worker.js", import.meta.url) });
    await expect(lost.run(script(""))).rejects.toThrow(
      /no-such-worker\.js, the worker .* is not there: build the project/,
    );
  });
});
