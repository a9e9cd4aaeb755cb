import { describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "./config.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { localFolder } from "./local-folder.ts";
import { filesFolder } from "./model-folder.ts";

type Json = Record<string, unknown>;

/** The least that a config.json must say. */
const LEAST = {
  llama: { vocab_size: 100, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4 },
  mistral: { vocab_size: 100, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 8 },
  gemma2: { vocab_size: 100, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4 },
  codegen: { vocab_size: 100, n_embd: 64, n_layer: 4, n_head: 4 },
};
type ModelType = keyof typeof LEAST;

const parse = (modelType: ModelType, more: Json = {}, generation?: unknown): ReturnType<typeof parseConfig> =>
  parseConfig({ model_type: modelType, ...LEAST[modelType], ...more }, generation);

describe("values that cannot be are said, with field, value and what was wanted", () => {
  const cases: [ModelType, Json, string][] = [
    ["llama", { hidden_size: "64" }, '"hidden_size" is "64"; wanted a whole number in 1..1048576'],
    ["llama", { hidden_size: null }, '"hidden_size" is null; wanted a whole number'],
    ["llama", { num_attention_heads: 0 }, '"num_attention_heads" is 0; wanted a whole number in 1..65536'],
    ["llama", { num_hidden_layers: -1 }, '"num_hidden_layers" is -1'],
    ["llama", { num_hidden_layers: 1e9 }, '"num_hidden_layers" is 1000000000; wanted a whole number in 1..4096'],
    ["llama", { vocab_size: 1.5 }, '"vocab_size" is 1.5'],
    ["llama", { vocab_size: 2 ** 40 }, '"vocab_size" is 1099511627776'],
    ["llama", { rms_norm_eps: Number.NaN }, '"rms_norm_eps" is null; wanted a number above 0'],
    ["llama", { rms_norm_eps: -1e-5 }, '"rms_norm_eps" is -0.00001'],
    ["llama", { num_key_value_heads: 3 }, "has 4 attention heads and 3 key/value heads"],
    ["llama", { num_attention_heads: 5 }, "has width 64 and 5 heads"],
    ["llama", { tie_word_embeddings: "yes" }, '"tie_word_embeddings" is "yes"; wanted true or false'],
    ["llama", { eos_token_id: ["a"] }, '"eos_token_id" is ["a"]; wanted whole numbers'],
    ["llama", { hidden_act: 3 }, '"hidden_act" is 3; wanted a text'],
    ["mistral", { sliding_window: -1 }, '"sliding_window" is -1'],
    ["gemma2", { layer_types: ["full_attention"] }, '"layer_types" is ["full_attention"]; wanted a list of 4 names'],
    [
      "gemma2",
      {
        layer_types: ["sliding_attention", "full_attention", "full_attention", "full_attention"],
        sliding_window: null,
      },
      '"sliding_window" is null; wanted a length',
    ],
    ["codegen", { rotary_dim: 32 }, '"rotary_dim" is 32; wanted a whole number in 2..16'],
    ["codegen", { rotary_dim: 7 }, "which makes 7; wanted an even number"],
  ];
  it.each(cases)("%s %j", (modelType, more, message) => {
    expect(() => parse(modelType, more)).toThrow(FormatError);
    expect(() => parse(modelType, more)).toThrow(message);
  });

  it("a config that is no object, or has no model type", () => {
    for (const json of [null, [], "x", 3]) expect(() => parseConfig(json)).toThrow("wanted an object of settings");
    expect(() => parseConfig({})).toThrow('config.json: "model_type" is missing; wanted a text');
    expect(() => parse("llama", {}, [1])).toThrow("generation_config.json: is [1]");
  });
});

const anchors = (block: unknown): unknown => parse("llama", { anchor_attention: block }).anchors;

describe("anchor_attention", () => {
  it("is read, with its defaults", () => {
    const block = { anchor_token_ids: [10, 11], sinks: 2, anchor_sees_anchors: false, layer_map: { "3": 0, "2": 1 } };
    const layerMap = new Map([
      [2, 1],
      [3, 0],
    ]);
    expect(anchors(block)).toEqual({ tokenIds: [10, 11], sinks: 2, anchorSeesAnchors: false, layerMap });
    expect(anchors({ anchor_token_ids: 7 })).toEqual({
      tokenIds: [7],
      sinks: 1,
      anchorSeesAnchors: true,
      layerMap: new Map(),
    });
    expect(anchors(null)).toBeNull();
  });

  const wrong: [string, unknown, string][] = [
    ["no tokens", { anchor_token_ids: [] }, "at least one token id"],
    ["a token outside the vocabulary", { anchor_token_ids: [100] }, "wanted whole numbers in 0..99"],
    [
      "a layer mapped to itself",
      { anchor_token_ids: [1], layer_map: { 2: 2 } },
      'maps layer "2" to 2; wanted a layer below 4 mapped to one before it',
    ],
    ["a layer mapped upward", { anchor_token_ids: [1], layer_map: { 1: 2 } }, 'maps layer "1" to 2'],
    ["a layer that is not there", { anchor_token_ids: [1], layer_map: { 4: 0 } }, 'maps layer "4" to 0'],
    ["a source below zero", { anchor_token_ids: [1], layer_map: { 1: -1 } }, 'maps layer "1" to -1'],
    ["a layer that is no number", { anchor_token_ids: [1], layer_map: { "1.0": 0 } }, 'maps layer "1.0" to 0'],
    ["a source that is text", { anchor_token_ids: [1], layer_map: { 1: "0" } }, 'maps layer "1" to "0"'],
    ["sinks below zero", { anchor_token_ids: [1], sinks: -1 }, '"sinks" is -1'],
    ["a list", [1], "wanted an object"],
  ];
  it.each(wrong)("refuses %s", (_name, block, message) => {
    expect(() => anchors(block)).toThrow(FormatError);
    expect(() => anchors(block)).toThrow(message);
  });

  it("refuses a field that it does not know", () => {
    expect(() => anchors({ anchor_token_ids: [1], temperature: 2 })).toThrow(UnsupportedError);
  });
});

const file = (json: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(json));

describe("a folder's config", () => {
  it("of the models that ship", async () => {
    expect(await loadConfig(localFolder("models/kedge-js-5m"))).toMatchObject({
      vocabSize: 1024,
      layers: 6,
      anchors: null,
    });
    const { anchors: block } = await loadConfig(localFolder("models/kedge-js-5m-anchor"));
    expect(block).toMatchObject({
      tokenIds: [201],
      layerMap: new Map([
        [3, 0],
        [4, 1],
        [5, 2],
      ]),
    });
  });

  it("takes generation_config.json into account, and says when there is no config.json", async () => {
    const config = file({ model_type: "llama", ...LEAST.llama, eos_token_id: 1 });
    const both = new Map([
      ["config.json", config],
      ["generation_config.json", file({ eos_token_id: [2] })],
    ]);
    expect((await loadConfig(filesFolder(both))).endTokenIds).toEqual([2, 1]);
    await expect(loadConfig(filesFolder(new Map()))).rejects.toThrow("there is no config.json");
  });
});
