import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSandbox, type Sandbox } from "../sandbox.ts";
import type { Program } from "../task.ts";

const program = (source: string, tests = ""): Program => ({
  language: "python",
  source,
  check: { kind: "script", source: tests },
});
const LIMITS = { timeMs: 500, memoryBytes: 256 << 20 };

/** An interpreter that does what the program says, of which there is a word for each. */
const STAND_IN = `#!/usr/bin/env node
const { readFileSync, writeSync } = require("node:fs");
const [isolated, dashC] = process.argv.slice(2);
const { program, tests, nonce } = JSON.parse(readFileSync(0, "utf8"));
const answer = (value) => writeSync(3, JSON.stringify({ nonce, message: "", ...value }));
if (isolated !== "-I" || dashC !== "-c" || process.env.KEDGE_SECRET) answer({ kind: "exception", message: "not isolated" });
else if (program === "pass") answer({ kind: null });
else if (program === "wrong") answer({ kind: "assertion", message: tests });
else if (program === "lacks") answer({ kind: "not judged", message: "needs the module numpy" });
else if (program === "folder") answer({ kind: "exception", message: process.cwd() });
else if (program === "forge") writeSync(3, JSON.stringify({ nonce: "another", kind: null }));
else if (program === "flood") for (let i = 0; i < 1000; i++) writeSync(3, "x".repeat(1000));
else if (program === "quit") process.exit(3);
else if (program === "child") {
  require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
  answer({ kind: null });
  process.exit(0);
} else if (program === "hang") setInterval(() => {}, 1000);
`;

let folder: string;
let sandbox: Sandbox;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kedge-own-"));
  const path = join(folder, "python.cjs");
  writeFileSync(path, STAND_IN);
  chmodSync(path, 0o755);
  process.env["KEDGE_SECRET"] = "1";
  sandbox = openSandbox({ python: path, limits: LIMITS });
});
afterAll(async () => {
  delete process.env["KEDGE_SECRET"];
  await sandbox.dispose();
  rmSync(folder, { recursive: true });
});

describe("an interpreter of the user's own", () => {
  it("is isolated, and its answers are taken", async () => {
    expect(await sandbox.run(program("pass"))).toEqual({ passed: true });
    expect(await sandbox.run(program("wrong", "assert False"))).toEqual({
      passed: false,
      kind: "assertion",
      message: "assert False",
    });
    expect(await sandbox.run(program("lacks"))).toMatchObject({
      kind: "not judged",
      message: "needs the module numpy",
    });
  });

  it("runs each program in an empty folder that is gone afterwards", async () => {
    const outcome = await sandbox.run(program("folder"));
    const used = outcome.passed ? "" : outcome.message;
    expect(used).toContain("kedge-python-");
    expect(() => readdirSync(used)).toThrow("ENOENT");
  });

  it.each(["forge", "flood"])("is not believed where it has to %s an answer", async (word) => {
    expect(await sandbox.run(program(word))).toEqual({
      passed: false,
      kind: "exception",
      message: "the interpreter ended with code 0 before its answer",
    });
  });

  it("may end early, hang, and leave processes behind", async () => {
    expect(await sandbox.run(program("quit"))).toMatchObject({
      kind: "exception",
      message: "the interpreter ended with code 3 before its answer",
    });
    expect(await sandbox.run(program("child"))).toEqual({ passed: true });
    expect(await sandbox.run(program("hang"))).toEqual({
      passed: false,
      kind: "timeout",
      message: "ran longer than 500 ms",
    });
  }, 30_000);

  it("ends with its signal", async () => {
    const controller = new AbortController();
    const running = sandbox.run(program("hang"), controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(running).rejects.toThrow("enough");
  });

  it("is refused where it is none", async () => {
    const none = openSandbox({ python: join(folder, "absent") });
    await expect(none.run(program("pass"))).rejects.toThrow(
      "absent: cannot be started as an interpreter of Python: no such program",
    );
    await none.dispose();
  });
});

/** The machine's Python, if it has one: kedge needs none. */
const python = ["python3", "python"].find((name) => spawnSync(name, ["-c", "import json"]).status === 0);

describe.skipIf(python === undefined)("Python itself", () => {
  let own: Sandbox;
  beforeAll(() => {
    own = openSandbox({ python: python!, limits: { timeMs: 2000, memoryBytes: 256 << 20 } });
  });
  afterAll(() => own.dispose());

  it.each([
    ["def f(x):\n    return x + 1", "assert f(1) == 2", { passed: true }],
    ["def f(x):\n    return x", "assert f(1) == 2, 'not two'", { kind: "assertion", message: "not two" }],
    ["def f(x) return x", "", { kind: "syntax" }],
    ["def f(x):\n    return x / 0", "f(1)", { kind: "exception", message: "ZeroDivisionError: division by zero" }],
    ["raise SystemExit(0)", "", { kind: "exception", message: "SystemExit: 0" }],
    [
      "import os\nos._exit(0)",
      "",
      { kind: "exception", message: "the interpreter ended with code 0 before its answer" },
    ],
    ["x = 'a' * (1 << 36)", "", { kind: "memory", message: "out of memory" }],
    [
      "",
      "import a_module_that_is_not_there",
      { kind: "not judged", message: "needs the module a_module_that_is_not_there" },
    ],
    ["import a_module_that_is_not_there", "", { kind: "exception" }],
    ["while True: pass", "", { kind: "timeout", message: "ran longer than 2000 ms" }],
  ])(
    "judges %j",
    async (source, tests, expected) => {
      expect(await own.run(program(source, tests))).toMatchObject(expected);
    },
    30_000,
  );
});
