// No word of a file acts on the terminal: escape sequences, carriage returns, C1 controls and characters of direction in every place of a
// model's files, through every verb that prints them, on a terminal and into a pipe.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, bufferSource, writeSafetensors, type TensorToWrite } from "kedge/loaders";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kedge, type Outcome } from "../support/command.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const EVIL = "\u001b]0;title\u0007\u001b[2J\rkedge: all is well\n\u009b31m\u202e\u2066\u2028\u200b\u007f";
const folder = mkdtempSync(join(tmpdir(), "kedge-evil-"));
const at = (name: string): string => join(folder, name);

/** A model whose files are as given, beside the tokenizer of a shipped one. */
function makeModel(name: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  mkdirSync(at(name));
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(SHIPPED, file), join(at(name), file));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(at(name), file), content);
  return at(name);
}

beforeAll(async () => {
  const files = tinyFiles({ vocab_size: 1024 });
  const config = await files.get("config.json")!.text();
  const weights = new Uint8Array(await files.get("model.safetensors")!.arrayBuffer());
  const { tensors, readBytes } = await openSafetensors(bufferSource(weights, "tiny"));
  const named = async (more: readonly TensorToWrite[], metadata: Record<string, string> = {}) => {
    const kept: TensorToWrite[] = [];
    for (const { name, shape } of tensors.values())
      kept.push({ name, dtype: "F32", shape, values: new Float32Array((await readBytes(name)).slice().buffer) });
    return writeSafetensors([...kept, ...more], metadata);
  };
  const evil = { name: `evil.${EVIL}`, dtype: "F32" as const, shape: [1], values: new Float32Array(1) };
  const tokens = { name: "input_ids", dtype: "I64" as const, shape: [1, 2], values: BigInt64Array.of(5n, 6n) };
  const logits = { name: "logits", dtype: "F32" as const, shape: [1, 2, 1024], values: new Float32Array(2048) };
  makeModel("names", {
    "config.json": config,
    "model.safetensors": await named([evil], { [EVIL]: EVIL }),
    "golden.safetensors": writeSafetensors([tokens, logits, evil]),
  });
  const changed = (changes: object): string => JSON.stringify({ ...(JSON.parse(config) as object), ...changes });
  makeModel("type", { "config.json": changed({ model_type: EVIL }), "model.safetensors": weights });
  makeModel("field", {
    "config.json": changed({ [`rope_${EVIL}`]: EVIL, hidden_act: EVIL }),
    "model.safetensors": weights,
  });
  makeModel("json", { "config.json": `{"a": ${EVIL}}`, "model.safetensors": weights });
  makeModel("template", {
    "config.json": config,
    "model.safetensors": weights,
    "tokenizer_config.json": JSON.stringify({ chat_template: `{{ raise_exception(${JSON.stringify(EVIL)}) }}` }),
  });
  makeModel("tokenizer", {
    "config.json": config,
    "model.safetensors": weights,
    "tokenizer.json": JSON.stringify({ model: { type: EVIL } }),
  });
  makeModel(`folder \u001b[31m\u009b`, { "config.json": config, "model.safetensors": weights });
  const [first = ""] = readFileSync(`${SHIPPED}/eval-std.jsonl`, "utf8").split("\n");
  const source = `throw ${JSON.stringify(EVIL)}`;
  writeFileSync(
    at("tasks.jsonl"),
    `${JSON.stringify({ ...(JSON.parse(first) as object), task_id: EVIL, canonical_solution: source })}\n`,
  );
  writeFileSync(
    at("bad tasks.jsonl"),
    JSON.stringify({
      ...{ task_id: EVIL, prompt: EVIL, anchor_ranges: [], entry_point: EVIL },
      ...{ canonical_solution: "", tests: [] },
    }),
  );
  writeFileSync(at("bad fields.jsonl"), JSON.stringify({ [EVIL]: EVIL }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Escapes of our own styles and of the progress bar, whole. */
const OWN = new RegExp(String.raw`\u001b[78]|\u001b\[(?:(?:1|2|31|32|0)m|\?(?:25|7)[lh]|\d*[GK])`, "g");
const FORBIDDEN = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b]/u;

function expectClean({ stdout, stderr }: Outcome): void {
  for (const text of [stdout, stderr]) {
    const left = text.replace(OWN, "");
    expect(FORBIDDEN.exec(left)?.[0], JSON.stringify(left)).toBeUndefined();
    expect(text).not.toMatch(/^kedge: all is well/m);
    expect(text).not.toContain("\u001b[2J");
  }
}

const onReference = ["--device", "reference"];
const lines: readonly (readonly [string, ...string[]])[] = [
  ["inspect", "names"],
  ["inspect", "names", "--tensors"],
  ["inspect", "names", "--json"],
  ["inspect", "names/model.safetensors", "--tensors"],
  ["verify", "names", ...onReference],
  ["verify", "names", ...onReference, "--json"],
  ["quantize", "names", "out", "--format", "int8"],
  ["estimate", "type"],
  ["inspect", "type"],
  ["run", "type", "x", ...onReference],
  ["run", "field", "x", ...onReference],
  ["estimate", "json"],
  ["chat", "template", ...onReference],
  ["run", "tokenizer", "x", ...onReference],
  ["inspect", "folder \u001b[31m\u009b"],
  ["inspect", "none \u001b[31m\r\u009b"],
  ["run", "names", "x", "--device", "\u001b[31m\u202e"],
  ["\u001b[31mverb\r"],
  ["eval", "names", "tasks.jsonl", "--check-references"],
  ["eval", "names", "tasks.jsonl", "--check-references", "--json"],
  ["eval", "names", "bad tasks.jsonl", "--check-references"],
  ["eval", "names", "bad fields.jsonl", "--check-references"],
];

test.each(lines)("kedge %s %s shows them", async (...line) => {
  const [verb, ...args] = line.map((word, i) =>
    i > 0 && /^(names|type|field|json|template|tokenizer|folder|none|tasks|bad|out)/.test(word) ? at(word) : word,
  );
  for (const isTerminal of [false, true]) {
    rmSync(at("out"), { recursive: true, force: true });
    const outcome = await kedge([verb!, ...args], { stdin: "hello\n", isTerminal: isTerminal && verb !== "chat" });
    expectClean(outcome);
    expect(`${outcome.stdout}${outcome.stderr}`).toMatch(/\\u001b|\\u202e|\\u009b/);
  }
});

test("JSON holds the words as they are", async () => {
  const { stdout } = await kedge(["inspect", at("names"), "--json"]);
  const { tensors, metadata } = JSON.parse(stdout) as { tensors: { name: string }[]; metadata: Record<string, string> };
  expect(tensors.map(({ name }) => name)).toContain(`evil.${EVIL}`);
  expect(metadata[EVIL]).toBe(EVIL);
});

test("a model's text is shown so on a terminal, and is as it is in a pipe", async () => {
  const prompt = `a\u001b[31m\tb\r\nc\u202e\u009b`;
  const args = ["run", SHIPPED, prompt, "--echo", "--max-tokens", "1", "--quiet"];
  const [piped, shown] = [await kedge(args), await kedge(args, { isTerminal: true })];
  expect(piped.stdout.startsWith(prompt)).toBe(true);
  expectClean({ ...shown, stdout: shown.stdout.replaceAll("\t", "") });
  expect(shown.stdout.replace(OWN, "").startsWith("a\\u001b[31m\tb\nc\\u202e\\u009b")).toBe(true);
});
