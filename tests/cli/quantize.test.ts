// Quantized weights on the command line: --quantize of run, chat and verify, and folders that `kedge quantize` writes.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "kedge";
import { kedge } from "../support/command.ts";
import { greedyTokens } from "../support/goldens.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-quantize-"));
const talkative = join(folder, "talkative");

beforeAll(async () => {
  mkdirSync(talkative);
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(SHIPPED, file), join(talkative, file));
  for (const [file, blob] of tinyFiles({ vocab_size: 1024 })) {
    writeFileSync(join(talkative, file), new Uint8Array(await blob.arrayBuffer()));
  }
  writeFileSync(
    join(talkative, "chat_template.jinja"),
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}",
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["int8", "int4"] as const)("--quantize %s", (quantize) => {
  test("of run keeps the weights so, and writes what the quantized model does", async () => {
    const args = ["run", talkative, "keep words", "--device", "reference", "--max-tokens", "8", "--json"];
    const { code, stdout, stderr } = await kedge([...args, "--quantize", quantize]);
    const { completions, memory } = JSON.parse(stdout) as {
      completions: readonly { tokens: number[] }[];
      memory: { weights: number };
    };
    const model = await loadModel(talkative, { device: "reference", quantize });
    expect(model.quantized).toBe(quantize);
    expect(completions[0]!.tokens).toEqual(await greedyTokens(model, model.tokenizer!.encode("keep words"), 8));
    expect(memory.weights).toBe(model.memory().weights);
    await model.dispose();
    expect(stderr).toContain(`note: matrices are kept as ${quantize}`);
    expect(code).toBe(0);
  });

  test("of chat answers as the quantized model does", async () => {
    const settings = ["--device", "reference", "--max-tokens", "5", "--quantize", quantize];
    const chat = await kedge(["chat", talkative, ...settings], { stdin: "keep words\n" });
    const run = await kedge(["run", talkative, "user: keep words\n", ...settings, "--quiet"]);
    expect(chat.stdout).toBe(run.stdout);
    expect(chat.stderr).toContain(`matrices are kept as ${quantize}`);
    expect(chat.code).toBe(0);
  });

  test("of verify holds the model to what the format may take away, and says so", async () => {
    const { code, stdout, stderr } = await kedge(["verify", SHIPPED, "--device", "wasm", "--quantize", quantize]);
    expect(stderr).toContain(`bounds are those of ${quantize} weights on wasm`);
    expect(stdout).toMatch(/^logits .* ok$/m);
    // other tokens may follow from another one: they are counted, and not judged
    expect(stdout).toMatch(/^greedy +\d+ of 60 +any +ok$/m);
    expect(code).toBe(0);
  });
});

test("verify with weights as stored asks for more than with quantized ones", async () => {
  const bounds: number[] = [];
  for (const more of [[], ["--quantize", "int8"], ["--quantize", "int4"]]) {
    const { stdout } = await kedge(["verify", SHIPPED, "--device", "wasm", "--json", ...more]);
    const { tensors } = JSON.parse(stdout) as { tensors: readonly { largest: number; bound: number }[] };
    expect(tensors[0]!.largest).toBeLessThanOrEqual(tensors[0]!.bound);
    bounds.push(tensors[0]!.bound);
  }
  expect(bounds[1]! / bounds[0]!).toBeCloseTo(1000);
  expect(bounds[2]! / bounds[0]!).toBeCloseTo(5000);
});

describe.each(["int8", "int4"] as const)("kedge quantize --format %s", (kind) => {
  const out = join(folder, `shipped-${kind}`);
  beforeAll(async () => {
    const { code, stdout, stderr } = await kedge(["quantize", SHIPPED, out, "--format", kind]);
    expect(stdout).toMatch(new RegExp(`shipped-${kind}: \\d+ matrices as ${kind}, .*B of weights \\(\\d+ % of`));
    expect(stderr).toContain(`try: npx kedge run ${out}`);
    expect(code).toBe(0);
  });

  test("run, with and without the tokenizer's text, writes what --quantize does", async () => {
    const args = ["--device", "wasm", "--max-tokens", "12", "--quiet"];
    const made = await kedge(["run", SHIPPED, "function add(", ...args, "--quantize", kind]);
    expect((await kedge(["run", out, "function add(", ...args])).stdout).toBe(made.stdout);
    const again = await kedge(["run", out, "function add(", ...args, "--quantize", kind]);
    expect([again.stdout, again.code]).toEqual([made.stdout, 0]);
    const other = await kedge(["run", out, "x", ...args, "--quantize", kind === "int8" ? "int4" : "int8"]);
    expect(other.stderr).toContain(`its weights are quantized to ${kind} already`);
    expect([other.code, other.stdout]).toEqual([1, ""]);
  });

  test("verify takes the format's bounds, and the goldens that were copied", async () => {
    const { code, stderr } = await kedge(["verify", out, "--device", "wasm"]);
    expect(stderr).toContain(`bounds are those of ${kind} weights on wasm`);
    expect(code).toBe(0);
  });

  test("inspect and estimate say what the weights are", async () => {
    const inspected = await kedge(["inspect", out]);
    expect(inspected.stdout).toMatch(new RegExp(`^kedge\\.quantized +${kind}$`, "m"));
    const { stdout } = await kedge(["estimate", out, "--json"]);
    const asMade = await kedge(["estimate", SHIPPED, "--quantize", kind, "--json"]);
    const [own, made] = [stdout, asMade.stdout].map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(own).toMatchObject({ format: kind, formatFrom: "as stored", weights: made!["weights"] });
    const other = await kedge(["estimate", out, "--quantize", kind === "int8" ? "int4" : "int8"]);
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining(`but the weights are quantized to ${kind} already`),
    ]);
  });

  test("bench times it", async () => {
    const args = ["--device", "wasm", "--prompt-tokens", "8", "--tokens", "2", "--rounds", "1", "--json"];
    const { code, stdout } = await kedge(["bench", out, ...args]);
    expect((JSON.parse(stdout) as { memory: { weights: number } }).memory.weights).toBeLessThan(5.1e6);
    expect(code).toBe(0);
  });

  test("it is refused where OUT is there, where MODEL is quantized, and without a format", async () => {
    const there = await kedge(["quantize", SHIPPED, out, "--format", kind]);
    expect([there.code, there.stderr]).toEqual([1, `kedge: ${out}: is there already; name a folder that is not\n`]);
    const again = await kedge(["quantize", out, join(folder, "again"), "--format", kind]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining(`quantized to ${kind} already`)]);
    const none = await kedge(["quantize", SHIPPED, join(folder, "none")]);
    expect([none.code, none.stderr]).toEqual([2, "kedge: --format is not given: wanted int8 or int4\n"]);
    const odd = await kedge(["quantize", SHIPPED, join(folder, "odd"), "--format", "int2"]);
    expect([odd.code, odd.stderr]).toEqual([2, 'kedge: --format is "int2": wanted int8 or int4\n']);
  });
});
