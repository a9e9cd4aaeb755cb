// `kedge verify` tells right from wrong: goldens made by a tiny model on the reference are met, and every kind of change to them
// is found, by the name of the first tensor in the order of the forward pass.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel } from "kedge";
import { writeSafetensors, type TensorToWrite } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { goldenPath } from "../support/goldens.ts";
import { randomTokens, TINY, tinyFiles } from "../support/tiny-model.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-verify-"));
const model = join(folder, "model");
const ROWS = 2;
const LENGTH = 9;
const CONTINUED = 5;
const { num_hidden_layers: LAYERS, hidden_size: DIM, num_attention_heads: HEADS, vocab_size: VOCAB } = TINY;

/** What verify prints with --json. */
interface Result {
  readonly device: string;
  readonly ok: boolean;
  readonly firstMissed: string | null;
  readonly tensors: readonly { name: string; largest: number | string; bound: number; ok: boolean }[];
  readonly greedy: { matched: number; of: number } | null;
  readonly notCompared: readonly string[];
}

/** A tensor that a test may change. */
interface Golden {
  readonly shape: number[];
  readonly values: Float32Array;
}
/** As a model elsewhere would give them: float tensors by name, and tokens. */
let goldens: Map<string, Golden>;
let greedy: number[][];
const inputs = Array.from({ length: ROWS }, (_, row) => randomTokens(LENGTH, row + 1));

beforeAll(async () => {
  mkdirSync(model);
  for (const [name, blob] of tinyFiles()) {
    writeFileSync(join(model, name), new Uint8Array(await blob.arrayBuffer()));
  }
  goldens = new Map();
  const append = (name: string, data: ArrayLike<number>, shape: number[]) => {
    const earlier = goldens.get(name)?.values ?? new Float32Array(0);
    goldens.set(name, { shape: [ROWS, ...shape], values: Float32Array.from([...earlier, ...Array.from(data)]) });
  };
  const reference = await loadModel(model, { device: "reference" });
  greedy = [];
  for (const tokens of inputs) {
    const capture = ["blocks.*.hook_resid_pre", "blocks.*.attn.hook_pattern", "ln_final.hook_out"];
    const { captured, logits } = await reference.forward(tokens, { capture });
    for (let i = 0; i < LAYERS; i++) {
      append(`hidden.${i}`, captured[`blocks.${i}.hook_resid_pre`]!.data, [LENGTH, DIM]);
      append(`attention.${i}`, captured[`blocks.${i}.attn.hook_pattern`]!.data, [HEADS, LENGTH, LENGTH]);
    }
    append(`hidden.${LAYERS}`, captured["ln_final.hook_out"]!.data, [LENGTH, DIM]);
    append("logits", logits!.data, [LENGTH, VOCAB]);
    append("token_logprobs", (await reference.score(tokens)).logProbs, [LENGTH - 1]);
    const continued = [...tokens];
    for await (const piece of reference.generate(tokens, { maxTokens: CONTINUED })) continued.push(...piece.tokens);
    greedy.push(continued);
  }
  await reference.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tokensOf = (name: string, rows: readonly (readonly number[])[]): TensorToWrite => {
  const values = BigInt64Array.from(rows.flat(), BigInt);
  return { name, dtype: "I64", shape: [rows.length, rows[0]!.length], values };
};

/** Runs verify on the goldens, changed by `change`. */
async function verify(
  change: (tensors: Map<string, Golden>, continued: number[][]) => void = () => undefined,
  device = "reference",
): Promise<{ code: number; stderr: string; result: Result }> {
  const changed = new Map([...goldens].map(([name, { shape, values }]) => [name, { shape, values: values.slice() }]));
  const continued = greedy.map((tokens) => [...tokens]);
  change(changed, continued);
  const tensors = [...changed].map(([name, tensor]): TensorToWrite => ({ name, dtype: "F32", ...tensor }));
  const file = join(folder, "changed.safetensors");
  writeFileSync(file, writeSafetensors([...tensors, tokensOf("input_ids", inputs), tokensOf("greedy", continued)]));
  const args = ["verify", model, "--golden", file, "--device", device, "--threads", "1", "--json"];
  const { code, stdout, stderr } = await kedge(device === "wasm" ? args : args.filter((_, i) => i < 6 || i > 7));
  return { code, stderr, result: JSON.parse(stdout) as Result };
}

describe.each(["reference", "wasm"])("goldens that are right, on %s", (device) => {
  test("are met, all of them", async () => {
    const { code, result } = await verify(undefined, device);
    expect(result.tensors.filter(({ ok }) => !ok)).toEqual([]);
    expect(result).toMatchObject({ device, ok: true, firstMissed: null, notCompared: [] });
    expect(result.greedy).toEqual({ matched: ROWS * CONTINUED, of: ROWS * CONTINUED });
    expect(result.tensors.map(({ name }) => name).sort()).toEqual([...goldens.keys()].sort());
    expect(code).toBe(0);
  });
});

test("a bound is a share of the largest magnitude; of attention, of 1", async () => {
  const { result } = await verify();
  const magnitude = goldens.get("logits")!.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const boundOf = (name: string) => result.tensors.find((tensor) => tensor.name === name)!.bound;
  expect(boundOf("logits")).toBeCloseTo(2e-5 * magnitude, 12);
  expect(boundOf("attention.1")).toBeCloseTo(2e-5, 12);
});

/** Moves one number of the last row by `steps` bounds. */
const nudge = (tensors: Map<string, Golden>, name: string, steps: number) => {
  const { values } = tensors.get(name)!;
  const magnitude = name.startsWith("attention") ? 1 : values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  values[values.length - 1]! += steps * 2e-5 * magnitude;
};

/** The tensor that is named when these are off. */
const named = async (...names: string[]) => {
  return (await verify((tensors) => names.forEach((name) => nudge(tensors, name, 3)))).result.firstMissed;
};

describe("goldens that are wrong", () => {
  test.each(["hidden.0", "hidden.2", `hidden.${LAYERS}`, "attention.0", "attention.2", "logits", "token_logprobs"])(
    "%s: one number off by three bounds is missed, by half a bound is not",
    async (name) => {
      const off = await verify((tensors) => nudge(tensors, name, 3));
      expect(off.code).toBe(1);
      expect(off.result).toMatchObject({ ok: false, firstMissed: name });
      expect(off.result.tensors.filter(({ ok }) => !ok).map((tensor) => tensor.name)).toEqual([name]);
      expect(off.stderr).toContain(name);
      expect((await verify((tensors) => nudge(tensors, name, 0.5))).code).toBe(0);
    },
  );

  test("a token of a continuation", async () => {
    const { code, result } = await verify((_, continued) => {
      continued[1]![LENGTH + CONTINUED - 1] = (continued[1]!.at(-1)! + 1) % VOCAB;
    });
    expect(code).toBe(1);
    expect(result).toMatchObject({ ok: false, firstMissed: "greedy" });
    expect(result.greedy).toEqual({ matched: ROWS * CONTINUED - 1, of: ROWS * CONTINUED });
  });

  test("NaN is never within a bound", async () => {
    const { code, result } = await verify((tensors) => (tensors.get("hidden.1")!.values[4] = Number.NaN));
    expect([code, result.firstMissed]).toEqual([1, "hidden.1"]);
  });

  test("NaN that the model computes is never within a bound, either", async () => {
    const broken = join(folder, "broken");
    mkdirSync(broken);
    for (const [name, blob] of tinyFiles()) {
      const bytes = Buffer.from(await blob.arrayBuffer());
      // The last number of the file is one of the final norm's weights.
      if (name === "model.safetensors") bytes.writeFloatLE(Number.NaN, bytes.length - 4);
      writeFileSync(join(broken, name), bytes);
    }
    const logits = goldens.get("logits")!;
    const file = join(broken, "golden.safetensors");
    writeFileSync(file, writeSafetensors([{ name: "logits", dtype: "F32", ...logits }, tokensOf("input_ids", inputs)]));
    const { code, stdout } = await kedge(["verify", broken, "--device", "reference", "--json"]);
    const { tensors, firstMissed } = JSON.parse(stdout) as Result;
    expect(tensors[0]).toMatchObject({ name: "logits", largest: "NaN", ok: false });
    expect([code, firstMissed]).toEqual([1, "logits"]);
  });

  test("of several, the first in the order of the forward pass is named", async () => {
    expect(await named("logits", "attention.1", "hidden.2")).toBe("attention.1");
    expect(await named("attention.1", "hidden.1")).toBe("hidden.1");
    expect(await named("token_logprobs", "logits")).toBe("logits");
  });
});

test("tensors of other names are listed and not compared", async () => {
  const { code, result } = await verify((tensors) => tensors.set("dense.keys", goldens.get("logits")!));
  expect([code, result.notCompared]).toEqual([0, ["dense.keys"]]);
});

/** The last numbers of a tensor. */
const last = (name: string, width: number) => {
  const { values } = goldens.get(name)!;
  return [...values.subarray(values.length - width)];
};

test("goldens of the last token, in groups of their own, are held layer by layer", async () => {
  const row = 1;
  const tensors: TensorToWrite[] = [
    { ...tokensOf("0.input_ids", [inputs[row]!]), shape: [LENGTH] },
    { ...tokensOf("0.greedy", [greedy[row]!]), shape: [LENGTH + CONTINUED] },
  ];
  const patterns = Array.from({ length: LAYERS }, (_, layer) => {
    const { values } = goldens.get(`attention.${layer}`)!;
    const ofRow = values.subarray(values.length / ROWS);
    return Array.from({ length: HEADS }, (_head, head) => {
      const end = (head + 1) * LENGTH * LENGTH;
      return [...ofRow.subarray(end - LENGTH, end)];
    });
  }).flat(2);
  const hidden = Array.from({ length: LAYERS + 1 }, (_, layer) => last(`hidden.${layer}`, DIM)).flat();
  const add = (name: string, shape: number[], values: readonly number[]) => {
    tensors.push({ name: `0.${name}`, dtype: "F32", shape, values: Float32Array.from(values) });
  };
  add("logits.last", [VOCAB], last("logits", VOCAB));
  add("hidden.last", [LAYERS + 1, DIM], hidden);
  add("attention.last", [LAYERS, HEADS, LENGTH], patterns);
  add("token_logprobs", [LENGTH - 1], last("token_logprobs", LENGTH - 1));
  const file = join(folder, "last.safetensors");
  const run = async () => {
    writeFileSync(file, writeSafetensors(tensors));
    const { code, stdout } = await kedge(["verify", model, "--golden", file, "--device", "reference", "--json"]);
    return { code, result: JSON.parse(stdout) as Result };
  };
  const { code, result } = await run();
  expect([code, result.ok, result.tensors.length]).toEqual([0, true, 4]);
  // The embedding is small beside the last layers: an error that would be nothing there is one here.
  const embedding = hidden.slice(0, DIM);
  const largest = Math.max(...embedding.map(Math.abs));
  hidden[0]! += 3 * 2e-5 * largest;
  tensors.find(({ name }) => name === "0.hidden.last")!.values.set(Float32Array.from(hidden) as never);
  const wrong = await run();
  expect([wrong.code, wrong.result.firstMissed]).toEqual([1, "0.hidden.last"]);
});

test("the models that come with kedge meet the goldens beside them", async () => {
  for (const name of ["kedge-js-5m", "kedge-js-5m-anchor"]) {
    const { code, stdout } = await kedge(["verify", `models/${name}`, "--device", "wasm"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^logits .* ok$/m);
    expect(stdout).toMatch(/^greedy .*60 of 60.* ok$/m);
  }
});

test("a model and goldens of transformers", async () => {
  const { code, stdout } = await kedge(["verify", goldenPath("llama"), "--device", "reference"]);
  expect(code).toBe(0);
  expect(stdout).not.toContain("MISSED");
  expect(stdout).toMatch(/^attention\.2 .* ok$/m);
});
