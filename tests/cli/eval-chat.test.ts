// kedge eval --chat and kedge tune --chat: tasks as questions to a model whose answer is written down.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { writeScriptedModel } from "../support/scripted-model.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-eval-chat-"));
const at = (name: string): string => join(folder, name);
const ANSWER = "Sure:\n\n```js\nfunction double(x) {\n  return 2 * x;\n}\n```\n";

beforeAll(() => {
  writeScriptedModel(at("model"));
  const task = {
    prompt: "/**\n * Double the <|endoftext|> <anchor> number.\n */\nfunction double(x) {\n",
    anchor_ranges: [[7, 48]],
    entry_point: "double",
    canonical_solution: "  return x + x;\n}\n",
  };
  const rows = [8, 9].map((expected) => ({ ...task, task_id: `t${expected}`, tests: [{ input: 4, expected }] }));
  writeFileSync(at("tasks.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (verb: string, ...args: readonly string[]) =>
  kedge([verb, at("model"), at("tasks.jsonl"), "--device", "wasm", ...args]);

test.each([["1"], ["1.4"]])("the code of an answer is scored, with strength %s", async (strength) => {
  const file = at(`results-${strength}.jsonl`);
  const { code, stdout, stderr } = await run("eval", "--chat", "--json", "--results", file, "--anchoring", strength);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ rows: [{ tasks: 2, passAt: { "1": 0.5 } }] });
  const [, first] = readFileSync(file, "utf8").split("\n");
  expect(JSON.parse(first!)).toMatchObject({ samples: [{ completion: ANSWER }] });
  expect(stderr.includes("masked tokens are replaced")).toBe(strength !== "1");
});

test("results of answers are not gone on with by continuations", async () => {
  const file = at("other.jsonl");
  expect((await run("eval", "--chat", "--limit", "1", "--results", file)).code).toBe(0);
  const { code, stderr } = await run("eval", "--limit", "1", "--results", file, "--resume");
  expect(stderr).toContain("was made with tasks");
  expect(code).toBe(1);
});

test("a model without a chat template is not asked", async () => {
  for (const verb of ["eval", "tune"]) {
    const args = verb === "tune" ? ["--out", at("none.json")] : [];
    const { code, stdout, stderr } = await kedge([verb, "models/kedge-js-5m", at("tasks.jsonl"), "--chat", ...args]);
    expect(stderr).toContain("has no chat template, so it was not made to answer questions; leave --chat out");
    expect(stdout).toBe("");
    expect(code).toBe(1);
  }
});

test("a search of answers is not gone on with by continuations", async () => {
  const search = ["--share", "0.5", "--low", "1", "--high", "1.4", "--step", "0.2", "--out", at("tune.json")];
  const { code, stderr } = await run("tune", "--chat", ...search);
  expect(code, stderr).toBe(0);
  const plain = await run("tune", ...search);
  expect(plain.stderr).toContain("holds a search with chat true, not left out");
  expect(plain.code).toBe(1);
});
