// Quantized weights on the command line: --quantize of run, chat and verify.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "kedge";
import { kedge } from "./support/command.ts";
import { greedyTokens } from "./support/goldens.ts";
import { tinyFiles } from "./support/tiny-model.ts";

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
