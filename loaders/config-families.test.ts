import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MODEL_TYPES, parseConfig, type ModelType } from "./config.ts";
import { UnsupportedError } from "./errors.ts";

type Json = Record<string, unknown>;

const llamaNames = {
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 4,
  num_attention_heads: 4,
};
const gptNames = { vocab_size: 100, n_embd: 64, n_layer: 4, n_head: 4 };

const perLayer = (value: number): number[] => Array.from({ length: 4 }, () => value);

/** The least that each family's config.json must say; everything else is the family's default. */
const LEAST: Record<ModelType, Json> = {
  llama: llamaNames,
  mistral: { ...llamaNames, num_attention_heads: 8 },
  qwen2: { ...llamaNames, num_key_value_heads: null },
  qwen3: { ...llamaNames, num_key_value_heads: null },
  gpt2: gptNames,
  gpt_bigcode: gptNames,
  starcoder2: llamaNames,
  codegen: { ...gptNames, rotary_dim: 8 },
  gpt_neox: llamaNames,
  phi: llamaNames,
  gemma2: llamaNames,
};

const parse = (modelType: ModelType, more: Json = {}, generation?: unknown): ReturnType<typeof parseConfig> =>
  parseConfig({ model_type: modelType, ...LEAST[modelType], ...more }, generation);

describe("defaults of each family (transformers 5.23)", () => {
  const wanted: Record<ModelType, Json> = {
    llama: {
      kvHeads: 4,
      headDim: 16,
      contextLength: 2048,
      normEpsilon: 1e-6,
      activation: "silu",
      tiedEmbeddings: false,
      qkvBias: false,
      mlpBias: false,
    },
    mistral: {
      kvHeads: 8,
      headDim: 8,
      contextLength: 131_072,
      windows: [4096, 4096, 4096, 4096],
      tiedEmbeddings: false,
      qkvBias: false,
    },
    qwen2: {
      kvHeads: 4,
      windows: [0, 0, 0, 0],
      qkvBias: true,
      outputBias: false,
      mlpBias: false,
      qkNorm: false,
      tiedEmbeddings: false,
    },
    qwen3: { kvHeads: 4, headDim: 128, qkNorm: true, qkvBias: false, outputBias: false, tiedEmbeddings: false },
    gpt2: {
      kvHeads: 4,
      hiddenDim: 256,
      contextLength: 1024,
      rotary: null,
      activation: "gelu-tanh",
      tiedEmbeddings: true,
      qkvBias: true,
      outputBias: true,
      mlpBias: true,
    },
    gpt_bigcode: {
      kvHeads: 1,
      hiddenDim: 256,
      rotary: null,
      activation: "gelu-tanh",
      tiedEmbeddings: true,
      qkvBias: true,
    },
    starcoder2: {
      kvHeads: 2,
      windows: [0, 0, 0, 0],
      normEpsilon: 1e-5,
      activation: "gelu-tanh",
      tiedEmbeddings: true,
      qkvBias: true,
      mlpBias: true,
    },
    codegen: {
      kvHeads: 4,
      contextLength: 2048,
      parallelResidual: true,
      tiedEmbeddings: false,
      qkvBias: false,
      outputBias: false,
      mlpBias: true,
    },
    gpt_neox: {
      kvHeads: 4,
      parallelResidual: true,
      activation: "gelu",
      tiedEmbeddings: false,
      qkvBias: true,
      outputBias: true,
    },
    phi: {
      kvHeads: 4,
      parallelResidual: true,
      activation: "gelu-tanh",
      tiedEmbeddings: false,
      qkvBias: true,
      outputBias: true,
      mlpBias: true,
    },
    gemma2: {
      kvHeads: 4,
      headDim: 256,
      windows: [4096, 0, 4096, 0],
      attentionScales: perLayer(1 / 16),
      attentionSoftcap: 50,
      logitSoftcap: 30,
      activation: "gelu-tanh",
      tiedEmbeddings: true,
    },
  };
  it.each(MODEL_TYPES)("%s", (modelType) => {
    const config = parse(modelType);
    expect(config).toMatchObject({ modelType, vocabSize: 100, dim: 64, layers: 4, ...wanted[modelType] });
    if (modelType !== "gemma2") expect(config.attentionScales).toEqual(perLayer(config.headDim ** -0.5));
    expect(config.anchors).toBeNull();
  });

  it("rotates the part of a head that the family rotates", () => {
    const dims = (modelType: ModelType, more?: Json): unknown => parse(modelType, more).rotary?.dims;
    expect([dims("llama"), dims("codegen"), dims("gpt_neox"), dims("phi")]).toEqual([16, 8, 4, 8]);
    expect([dims("gpt_neox", { rotary_pct: 1 }), dims("phi", { partial_rotary_factor: 0.25 })]).toEqual([16, 4]);
    expect(parse("gpt_neox", { rotary_emb_base: 25_000 }).rotary?.theta).toBe(25_000);
  });
});

describe("fields that change the result are read", () => {
  const cases: [ModelType, Json, Json][] = [
    ["llama", { attention_bias: true }, { qkvBias: true, outputBias: true, mlpBias: false }],
    [
      "llama",
      { mlp_bias: true, head_dim: 32, tie_word_embeddings: true },
      { mlpBias: true, headDim: 32, attentionScales: perLayer(32 ** -0.5), tiedEmbeddings: true },
    ],
    ["llama", { hidden_act: "gelu", rms_norm_eps: 0.01 }, { activation: "gelu", normEpsilon: 0.01 }],
    ["mistral", { sliding_window: null }, { windows: [0, 0, 0, 0] }],
    ["mistral", { sliding_window: 7, num_key_value_heads: 2 }, { windows: [7, 7, 7, 7], kvHeads: 2 }],
    ["qwen2", { use_sliding_window: true, sliding_window: 9, max_window_layers: 2 }, { windows: [0, 0, 9, 9] }],
    ["qwen2", { use_sliding_window: false, sliding_window: 9, max_window_layers: 2 }, { windows: [0, 0, 0, 0] }],
    [
      "qwen3",
      {
        use_sliding_window: true,
        sliding_window: 9,
        layer_types: ["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
      },
      { windows: [9, 0, 0, 9] },
    ],
    ["qwen3", { attention_bias: true }, { qkvBias: true, outputBias: true }],
    ["gpt2", { scale_attn_weights: false, n_inner: 80 }, { attentionScales: perLayer(1), hiddenDim: 80 }],
    ["gpt2", { scale_attn_by_inverse_layer_idx: true }, { attentionScales: [1 / 4, 1 / 8, 1 / 12, 1 / 16] }],
    [
      "gpt2",
      { scale_attn_by_inverse_layer_idx: true, scale_attn_weights: false, reorder_and_upcast_attn: true },
      { attentionScales: [1, 1 / 2, 1 / 3, 1 / 4] },
    ],
    ["gpt_bigcode", { multi_query: false }, { kvHeads: 4 }],
    [
      "starcoder2",
      { use_bias: false, sliding_window: 5 },
      { qkvBias: false, outputBias: false, mlpBias: false, windows: [5, 5, 5, 5] },
    ],
    [
      "gpt_neox",
      { use_parallel_residual: false, attention_bias: false },
      { parallelResidual: false, qkvBias: false, outputBias: false },
    ],
    ["gpt_neox", { hidden_act: "gelu_fast" }, { activation: "gelu-tanh" }],
    [
      "gemma2",
      { attn_logit_softcapping: null, final_logit_softcapping: null, query_pre_attn_scalar: 64 },
      { attentionSoftcap: null, logitSoftcap: null, attentionScales: perLayer(0.125) },
    ],
    [
      "gemma2",
      { layer_types: ["full_attention", "full_attention", "sliding_attention", "full_attention"], sliding_window: 3 },
      { windows: [0, 0, 3, 0] },
    ],
  ];
  it.each(cases)("%s %j", (modelType, more, wanted) => expect(parse(modelType, more)).toMatchObject(wanted));

  it("collects token ids from both files", () => {
    const config = parse(
      "llama",
      { bos_token_id: 1, eos_token_id: [2, 3], pad_token_id: -1 },
      { eos_token_id: 4, pad_token_id: 5, top_p: 0.9 },
    );
    expect(config).toMatchObject({ beginTokenId: 1, endTokenIds: [4, 2, 3], padTokenId: 5 });
    expect(parse("llama")).toMatchObject({ beginTokenId: null, endTokenIds: [], padTokenId: null });
  });
});

describe("fields that have no part in a forward pass are let be", () => {
  it("training, bookkeeping, generation defaults, null and false", () => {
    const more = {
      architectures: ["LlamaForCausalLM"],
      attention_dropout: 0.1,
      initializer_range: 0.02,
      use_cache: true,
      torch_dtype: "bfloat16",
      transformers_version: "4.99",
      _name_or_path: "x",
      id2label: { 0: "a" },
      task_specific_params: { a: 1 },
      temperature: 0.7,
      some_new_switch: false,
      some_new_thing: null,
      "transformers.js_config": {},
    };
    expect(parse("llama", more)).toEqual(parse("llama"));
  });

  it("what the published configs of real models say", () => {
    const gpt2 = {
      activation_function: "gelu_new",
      attn_pdrop: 0.1,
      bos_token_id: 50,
      embd_pdrop: 0.1,
      eos_token_id: 50,
      initializer_range: 0.02,
      layer_norm_epsilon: 1e-5,
      n_ctx: 1024,
      n_positions: 1024,
      resid_pdrop: 0.1,
      summary_activation: null,
      summary_first_dropout: 0.1,
      summary_proj_to_labels: true,
      summary_type: "cls_index",
      summary_use_proj: true,
      task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
    };
    expect(parse("gpt2", gpt2).endTokenIds).toEqual([50]);
    const smollm2 = {
      is_llama_config: true,
      rope_interleaved: false,
      pretraining_tp: 1,
      rope_theta: 100_000,
      rope_scaling: null,
      "transformers.js_config": { kv_cache_dtype: {} },
    };
    expect(parse("llama", smollm2).rotary?.theta).toBe(100_000);
    const starcoder2 = {
      activation_function: "gelu",
      attention_softmax_in_fp32: true,
      layer_norm_epsilon: 1e-5,
      mlp_type: "default",
      norm_type: "layer_norm",
      scale_attention_softmax_in_fp32: true,
      scale_attn_weights: true,
      sliding_window: 4096,
      use_bias: true,
      rope_theta: 999_999.4420358813,
    };
    expect(parse("starcoder2", starcoder2).windows[0]).toBe(4096);
    const codegen = {
      n_ctx: 2048,
      scale_attn_weights: true,
      gradient_checkpointing: false,
      tokenizer_class: "GPT2Tokenizer",
      n_inner: null,
    };
    expect(parse("codegen", codegen).hiddenDim).toBe(256);
    const gemma2 = {
      hidden_act: "gelu_pytorch_tanh",
      hidden_activation: "gelu_pytorch_tanh",
      cache_implementation: "hybrid",
    };
    expect(parse("gemma2", gemma2)).toEqual(parse("gemma2"));
  });
});

it("sliding layers of a model that does not use its window are refused, as transformers refuses them", () => {
  const types = ["full_attention", "sliding_attention", "full_attention", "full_attention"];
  expect(() => parse("qwen2", { sliding_window: 9, layer_types: types })).toThrow(
    "since layers have sliding attention",
  );
});

describe("what changes nothing is left alone", () => {
  const full = Array.from({ length: 4 }, () => "full_attention");
  const cases: [ModelType, Json][] = [
    ["gpt2", { _num_labels: 1, n_special: 0, predict_special_tokens: true, output_past: true }],
    ["gpt2", { reorder_and_upcast_attn: true, attention_head_type: "multihead", neftune_noise_alpha: 5 }],
    ["llama", { layer_types: full, quantization_config: {}, neftune_noise_alpha: 5 }],
    ["mistral", { layer_types: full, sliding_window: 7 }],
    ["phi", { layer_types: full }],
    ["gpt_neox", { layer_types: full }],
    ["qwen2", { sliding_window: 0 }],
    ["qwen3", { use_sliding_window: true, sliding_window: 0, max_window_layers: 4 }],
    ["gemma2", { sliding_window: 0, layer_types: full }],
    ["llama", { eos_token_id: [2, 100, 32_000], bos_token_id: 100, pad_token_id: 2 ** 30 }],
  ];
  it.each(cases)("%s %j", (modelType, more) => {
    const { sliding_window: window, eos_token_id: end } = more as { sliding_window?: number; eos_token_id?: unknown };
    const wanted = {
      ...parse(modelType),
      ...(window === undefined ? {} : { windows: perLayer(window) }),
      ...(end === undefined ? {} : { endTokenIds: [2] }),
    };
    expect(parse(modelType, more)).toEqual(wanted);
  });

  it("an end token of generation_config.json beyond the vocabulary", () => {
    expect(parse("llama", { eos_token_id: 3 }, { eos_token_id: [5, 100], pad_token_id: 200 })).toMatchObject({
      endTokenIds: [5, 3],
      padTokenId: null,
    });
  });
});

describe("what is not understood is refused, by name", () => {
  const cases: [ModelType, Json, string][] = [
    ["llama", { quantization_config: { quant_method: "gptq" } }, '"quantization_config" is {"quant_method":"gptq"}'],
    ["llama", { num_local_experts: 8 }, '"num_local_experts" is 8'],
    ["llama", { some_scale: 0.5 }, '"some_scale" is 0.5, which is not known here'],
    ["llama", { is_encoder_decoder: true }, "only decoders are supported"],
    ["llama", { sliding_window: 128 }, '"sliding_window" is 128'],
    ["llama", { pruned_heads: { 0: [1] } }, '"pruned_heads"'],
    ["llama", { hidden_act: "relu2" }, '"hidden_act" is "relu2"; supported are silu'],
    ["llama", { partial_rotary_factor: 0.5 }, "rotates whole heads"],
    ["mistral", { attention_bias: true }, '"attention_bias" is true'],
    [
      "qwen2",
      { layer_types: ["full_attention", "linear_attention", "full_attention", "full_attention"] },
      'has "linear_attention"',
    ],
    ["gpt2", { attention_head_type: "multiquery" }, '"attention_head_type" is "multiquery"'],
    ["gpt_bigcode", { scale_attn_by_inverse_layer_idx: true }, '"scale_attn_by_inverse_layer_idx" is true'],
    ["mistral", { sliding_window: 0 }, '"sliding_window" is 0'],
    ["starcoder2", { sliding_window: 0 }, "would see no key"],
    ["qwen2", { use_sliding_window: true, sliding_window: 0, max_window_layers: 3 }, '"sliding_window" is 0'],
    ["gemma2", { sliding_window: 0 }, '"sliding_window" is 0'],
    ["llama", { layer_types: ["full_attention", "sliding_attention", "full_attention"] }, '"layer_types"'],
    ["llama", { quantization_config: { load_in_4bit: true } }, '"quantization_config" is {"load_in_4bit":true}'],
    ["gpt2", { add_cross_attention: true }, "cross-attention"],
    ["gpt2", { rope_theta: 10_000 }, '"rope_theta" is 10000'],
    ["codegen", { rope_scaling: { type: "linear", factor: 2 } }, '"rope_scaling"'],
    ["phi", { qk_layernorm: true }, '"qk_layernorm" is true'],
    ["starcoder2", { norm_type: "rms_norm" }, '"norm_type" is "rms_norm"'],
    ["gpt_neox", { rope_theta: 5 }, "the base in force is 10000"],
    ["gemma2", { use_bidirectional_attention: true }, "only causal attention"],
  ];
  it.each(cases)("%s %j", (modelType, more, message) => {
    expect(() => parse(modelType, more)).toThrow(UnsupportedError);
    expect(() => parse(modelType, more)).toThrow(message);
  });

  it("another model type, with the families there are", () => {
    expect(() => parseConfig({ model_type: "mixtral" })).toThrow(
      'config.json: the model type "mixtral" is not supported; supported are llama, mistral, qwen2, qwen3, gpt2, gpt_bigcode, starcoder2, codegen, gpt_neox, phi, gemma2',
    );
    expect(() => parseConfig({ model_type: "toString" })).toThrow(UnsupportedError);
  });
});

const shared = "../shared/fixtures";
describe.skipIf(!existsSync(shared))("configs as transformers writes them (needs ../shared)", () => {
  const wanted: Record<string, Json> = {
    llama: { modelType: "llama", kvHeads: 2, tiedEmbeddings: false },
    "llama-linear-rope": { rotary: { kind: "linear", factor: 4 } },
    "llama-rope3-tied-bf16": { rotary: { kind: "llama3", factor: 8, originalContextLength: 64 }, tiedEmbeddings: true },
    "llama-sharded-f16": { qkvBias: true, outputBias: true, mlpBias: true },
    "mistral-window": { windows: [8, 8, 8], headDim: 32 },
    qwen2: { qkvBias: true, tiedEmbeddings: true, windows: [0, 0, 0] },
    qwen3: { qkNorm: true, headDim: 32 },
    gpt2: { modelType: "gpt2", tiedEmbeddings: true, hiddenDim: 256 },
    "gpt2-bare": { modelType: "gpt2" },
    "gpt-bigcode": { modelType: "gpt_bigcode", kvHeads: 1 },
    starcoder2: { windows: [16, 16, 16], mlpBias: true },
    codegen: { rotary: { dims: 8 }, mlpBias: true },
    "gpt-neox": { rotary: { dims: 4 }, parallelResidual: true, activation: "gelu" },
    phi: { rotary: { dims: 8 }, parallelResidual: true },
    gemma2: { windows: [8, 0, 8], logitSoftcap: 30, attentionScales: [32 ** -0.5, 32 ** -0.5, 32 ** -0.5] },
    anchors: { anchors: { tokenIds: [10, 11], sinks: 1 }, layers: 6 },
    "../models/stories260K": { beginTokenId: 1, endTokenIds: [2], vocabSize: 512 },
  };
  it.each(Object.entries(wanted))("%s", (name, config) => {
    expect(parseConfig(JSON.parse(readFileSync(`${shared}/${name}/config.json`, "utf8")))).toMatchObject(config);
  });
});
