// kedge inspect and kedge estimate: what they say of files, held against what was written into them.

import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel } from "kedge";
import { writeSafetensors } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { TINY, tinyFiles } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const folder = mkdtempSync(join(tmpdir(), "kedge-inspect-"));
const tiny = join(folder, "tiny");
// Two matrices of [vocab, dim]; per layer q and o, k and v, gate, up and down, two norms; the last norm.
const { vocab_size: vocab, hidden_size: dim, intermediate_size: hidden, num_hidden_layers: layers } = TINY;
const perLayer = 2 * 80 * dim + 2 * 40 * dim + 3 * hidden * dim + 2 * dim;
const numbers = 2 * vocab * dim + layers * perLayer + dim;

async function write(path: string, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
  mkdirSync(path);
  for (const [file, blob] of tinyFiles(changes)) {
    writeFileSync(join(path, file), new Uint8Array(await blob.arrayBuffer()));
  }
}
beforeAll(() => write(tiny));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = async (...args: readonly string[]) => {
  const { code, stdout } = await kedge([...args, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
};

const tensor = (name: string, shape: readonly number[]) => {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  return { name, dtype: "F32" as const, shape, values };
};

describe("inspect", () => {
  test("a folder: numbers, bytes, configuration and memory", async () => {
    const found = await json("inspect", tiny);
    expect(found).toMatchObject({
      name: tiny,
      files: ["model.safetensors"],
      family: "llama",
      numbers,
      byteLength: numbers * 4,
      config: { dim, layers, heads: 4, kvHeads: 2, headDim: 20, hiddenDim: hidden, vocabSize: vocab },
      memory: { parameters: numbers, weights: numbers * 4, cachePerToken: layers * 2 * 2 * 20 * 4, contextLength: 160 },
    });
    const tensors = found["tensors"] as { name: string }[];
    expect(tensors).toHaveLength(3 + layers * 9);
    expect(tensors).toContainEqual({
      name: "lm_head.weight",
      dtype: "F32",
      shape: [vocab, dim],
      byteLength: vocab * dim * 4,
    });
  });

  test("layers are drawn together, unless all tensors are asked for", async () => {
    const short = (await kedge(["inspect", tiny])).stdout;
    expect(short).toMatch(/^model\.layers\.\{0\.\.2\}\.mlp\.up_proj\.weight +F32 +\[72,48\] +3 x +13\.8 kB$/m);
    expect(short).toMatch(/^lm_head\.weight +F32 +\[67,48\] +12\.9 kB$/m);
    expect(short).not.toContain("model.layers.1.");
    const full = (await kedge(["inspect", tiny, "--tensors"])).stdout;
    for (let i = 0; i < layers; i++) expect(full).toContain(`model.layers.${i}.mlp.up_proj.weight`);
    expect(full).not.toContain("{0..2}");
  });

  test("a model with anchors names them, in JSON with its map of layers", async () => {
    const { stdout } = await kedge(["inspect", "models/kedge-js-5m-anchor"]);
    expect(stdout).toMatch(/^anchors +tokens \d+/m);
    const { config } = (await json("inspect", "models/kedge-js-5m-anchor")) as {
      config: { anchors: { layerMap: Record<string, number> } };
    };
    expect(Object.keys(config.anchors.layerMap).length).toBeGreaterThan(0);
  });

  test("one file: its tensors and metadata", async () => {
    const path = join(folder, "two.safetensors");
    writeFileSync(
      path,
      writeSafetensors([tensor("a.0", [2, 3]), tensor("a.1", [2, 3]), tensor("b", [5])], { made: "here" }),
    );
    const { code, stdout } = await kedge(["inspect", path]);
    expect(stdout).toMatch(/^17 numbers in 3 tensors, 68 B \(F32\)$/m);
    expect(stdout).toMatch(/^a\.\{0\.\.1\} +F32 +\[2,3\] +2 x +24 B$/m);
    expect(stdout).toMatch(/^made +here$/m);
    expect(code).toBe(0);
  });

  test("a family that kedge does not run can be looked at, with a note", async () => {
    const path = join(folder, "foreign");
    await write(path, { model_type: "mamba" });
    const { code, stdout, stderr } = await kedge(["inspect", path]);
    expect(stderr).toMatch(/^note: kedge does not run this model: .*mamba/);
    expect(stdout).toContain("lm_head.weight");
    expect(code).toBe(0);
  });

  test("a file that is not there, and one that is none", async () => {
    const missing = await kedge(["inspect", join(folder, "none.safetensors")]);
    expect([missing.code, missing.stdout]).toEqual([1, ""]);
    expect(missing.stderr).toMatch(/^kedge: .*none\.safetensors: no such file\n$/);
    const wrong = await kedge(["inspect", `${SHIPPED}/config.json`]);
    expect([wrong.code, wrong.stdout]).toEqual([1, ""]);
    expect(wrong.stderr).toMatch(/^kedge: .*config\.json: .*\n$/);
  });
});

test("a head that is stored although config.json ties it to the embedding counts, in inspect and estimate", async () => {
  const mistaken = join(folder, "mistaken");
  await write(mistaken);
  writeFileSync(join(mistaken, "config.json"), JSON.stringify({ ...TINY, tie_word_embeddings: true }));
  expect((await json("inspect", mistaken))["memory"]).toMatchObject({ parameters: numbers, weights: numbers * 4 });
  expect(await json("estimate", mistaken)).toMatchObject({ parameters: numbers, weights: numbers * 4 });
  expect(await json("estimate", mistaken, "--quantize", "int8")).toMatchObject({ parameters: numbers });
});

describe("estimate", () => {
  test("is what the reference device then counts", async () => {
    const estimated = await json("estimate", tiny, "--context", "100");
    const model = await loadModel(tiny, { device: "reference" });
    // The reference keeps norms as f64: another 4 bytes for each of their numbers.
    expect(estimated["weights"]).toBe(model.memory().weights - 4 * (layers * 2 + 1) * dim);
    await model.score(Array.from({ length: 101 }, (_, i) => i % vocab));
    expect(estimated["cache"]).toBe(model.memory().cache.peak);
    expect(estimated["total"]).toBe(Number(estimated["weights"]) + Number(estimated["cache"]));
    await model.dispose();
  });

  test("takes the format from the weights, and the context from the model", async () => {
    expect(await json("estimate", SHIPPED)).toMatchObject({
      format: "f16",
      formatFrom: "as stored",
      contextLength: 1024,
    });
    const { stdout } = await kedge(["estimate", SHIPPED, "--context", "512"]);
    expect(stdout).toMatch(/^weights +9\.38 MB +f16, as stored$/m);
    expect(stdout).toMatch(/^cache +3\.15 MB +512 tokens of 6\.14 kB, f32$/m);
    const smaller = await json("estimate", SHIPPED, "--context", "512", "--cache-type", "int8");
    expect(smaller).toMatchObject({ cacheType: "int8", cachePerToken: 6 * 2 * 2 * 68, cache: 512 * 6 * 2 * 2 * 68 });
  });

  test("goes by config.json where there are no weights", async () => {
    const path = join(folder, "config only");
    await write(path, { torch_dtype: "bfloat16" });
    rmSync(join(path, "model.safetensors"));
    const { code, stdout, stderr } = await kedge(["estimate", path, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ format: "bf16", formatFrom: "by config.json" });
    expect(stderr).toMatch(/^note: the weights cannot be read, so this is by config\.json: /);
    expect(code).toBe(0);
  });

  test("refuses more tokens than the context holds, with both numbers", async () => {
    const { code, stdout, stderr } = await kedge(["estimate", tiny, "--context", "161"]);
    expect(stderr).toBe("kedge: --context is 161, but this model's holds 160 tokens\n");
    expect([code, stdout]).toEqual([2, ""]);
  });
});
