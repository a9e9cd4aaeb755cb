// The list of weights against files that were written elsewhere, and against published numbers of parameters.

import { existsSync, readdirSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { loadConfig, MODEL_TYPES, openFolder, openWeights, parseConfig, type ModelType } from "../../loaders/index.ts";
import { smallConfig, storedShapes } from "../../tests/support/random-model.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../../tests/support/shared.ts";
import { countParameters } from "./estimate.ts";
import { families } from "./families/index.ts";
import { weightsOf } from "./weight-list.ts";

const FIXTURES = shared("fixtures");
const folders = [
  "models/kedge-js-5m",
  "models/kedge-js-5m-anchor",
  ...(hasShared("fixtures") ? readdirSync(FIXTURES).map((name) => `${FIXTURES}/${name}`) : []),
].filter((path) => existsSync(`${path}/config.json`));

describe(`is what files have (${WITHOUT_SHARED})`, () => {
  it.each(folders)("%s", async (path) => {
    const folder = openFolder(path);
    const config = await loadConfig(folder);
    const family = families[config.modelType];
    const checkpoint = await openWeights(folder);
    const prefix = family.prefixes.find((name) => checkpoint.tensors.has(`${name}${family.embedding}.weight`));
    const listed = new Map(
      weightsOf(config, { prefix: prefix! }).flatMap((spec) =>
        storedShapes(spec).map(({ name, shape }) => [name, shape] as const),
      ),
    );
    const stored = [...checkpoint.tensors.values()].filter(({ name }) => !family.ignored?.test(name));
    await checkpoint.close();
    expect(listed).toEqual(new Map(stored.map(({ name, shape }) => [name, shape])));
  });

  test.skipIf(!hasShared("fixtures"))("and there are files of every model type", async () => {
    const types = await Promise.all(folders.map(async (path) => (await loadConfig(openFolder(path))).modelType));
    expect(new Set(types)).toEqual(new Set(MODEL_TYPES));
  });
});

/** A config.json under Llama's names. */
const llama = (vocab: number, dim: number, layers: number, heads: number, kvHeads: number, hidden: number) => ({
  vocab_size: vocab,
  hidden_size: dim,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  intermediate_size: hidden,
});
/** A config.json under GPT-2's names. */
const gpt = (vocab: number, dim: number, layers: number, heads: number, more = {}) => ({
  ...{ vocab_size: vocab, n_embd: dim, n_layer: layers, n_head: heads },
  ...more,
});

describe("has as many parameters as the published model", () => {
  const tied = { tie_word_embeddings: true };
  const models: [name: string, ModelType, Readonly<Record<string, unknown>>, parameters: number][] = [
    ["SmolLM2-135M", "llama", { ...llama(49152, 576, 30, 9, 3, 1536), ...tied }, 134_515_008],
    ["Llama-2-7b", "llama", llama(32000, 4096, 32, 32, 32, 11008), 6_738_415_616],
    ["Mistral-7B-v0.1", "mistral", llama(32000, 4096, 32, 32, 8, 14336), 7_241_732_096],
    ["Qwen2.5-0.5B", "qwen2", { ...llama(151936, 896, 24, 14, 2, 4864), ...tied }, 494_032_768],
    ["Qwen3-0.6B", "qwen3", { ...llama(151936, 1024, 28, 16, 8, 3072), head_dim: 128, ...tied }, 596_049_920],
    ["gpt2", "gpt2", gpt(50257, 768, 12, 12), 124_439_808],
    ["santacoder", "gpt_bigcode", gpt(49280, 2048, 24, 16, { n_positions: 2048 }), 1_124_886_528],
    ["starcoder2-3b", "starcoder2", llama(49152, 3072, 30, 24, 2, 12288), 3_030_371_328],
    ["codegen-350M-mono", "codegen", gpt(51200, 1024, 20, 16, { rotary_dim: 32 }), 356_712_448],
    ["pythia-70m", "gpt_neox", llama(50304, 512, 6, 8, 8, 2048), 70_426_624],
    ["phi-2", "phi", { ...llama(51200, 2560, 32, 32, 32, 10240), partial_rotary_factor: 0.4 }, 2_779_683_840],
    ["gemma-2-2b", "gemma2", { ...llama(256000, 2304, 26, 8, 4, 9216), head_dim: 256 }, 2_614_341_888],
  ];
  it.each(models)("%s", (_, modelType, config, parameters) => {
    expect(countParameters(parseConfig({ model_type: modelType, ...config })).total).toBe(parameters);
  });
});

describe.each(MODEL_TYPES)("of %s", (modelType) => {
  const config = parseConfig(smallConfig(modelType));
  const list = weightsOf(config);

  it("has each weight, label and tensor once", () => {
    expect(new Set(list.map(({ role, layer, part }) => `${layer} ${role} ${part}`)).size).toBe(list.length);
    expect(new Set(list.map(({ label }) => label)).size).toBe(list.length);
    const names = list.flatMap((spec) => storedShapes(spec).map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
  });

  it("orders the rows of fused tensors without losing any", () => {
    for (const spec of list) {
      const tensors = spec.kind === "matrix" ? spec.tensors : [{ rows: spec.length, runs: spec.runs }];
      for (const { rows, runs } of tensors) {
        if (!runs) continue;
        const order = runs.flatMap(({ begin, count }) => Array.from({ length: count }, (_, i) => begin + i));
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
      }
    }
  });

  it("reads one norm for both parts of a layer only where they are parallel", () => {
    const hasOwnNorm = list.some(({ role }) => role === "mlpNorm");
    expect(hasOwnNorm || config.parallelResidual).toBe(true);
  });
});
