// config.json -> ModelConfig: here and in config-families.ts is the one place where the foreign names (`hidden_size`,
// `n_embd`, ...) are known. A field that would change the result and is not understood is refused, by name.

import { FAMILY_READERS } from "./config-families.ts";
import { Fields, IGNORED_FIELDS, show } from "./config-fields.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { readJson, type ModelFolder } from "./model-folder.ts";
import type { Rotary } from "./rotary.ts";

/** The families kedge runs, by the `model_type` of config.json. */
export const FAMILIES = [
  "llama",
  "mistral",
  "qwen2",
  "qwen3",
  "gpt2",
  "gpt_bigcode",
  "starcoder2",
  "codegen",
  "gpt_neox",
  "phi",
  "gemma2",
] as const;
export type Family = (typeof FAMILIES)[number];

/** What follows the first matrix of the feed-forward part; `gelu-tanh` is `gelu_new` / `gelu_pytorch_tanh`. */
export type Activation = "silu" | "gelu" | "gelu-tanh" | "relu";

/** The `anchor_attention` block (see docs: anchor attention). */
export interface AnchorConfig {
  readonly tokenIds: readonly number[];
  readonly sinks: number;
  readonly anchorSeesAnchors: boolean;
  /** target layer -> source layer, source < target */
  readonly layerMap: ReadonlyMap<number, number>;
}

/** Everything config.json says about a model's shape, in kedge's own terms. */
export interface ModelConfig {
  readonly family: Family;
  readonly vocabSize: number;
  /** width of the residual stream */
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** width inside the feed-forward part */
  readonly hiddenDim: number;
  /** most positions a sequence may have */
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly activation: Activation;
  /** null: positions are learned or absent */
  readonly rotary: Rotary | null;
  /** multiplies q·k before the softmax */
  readonly attentionScale: number;
  /** null: none */
  readonly attentionSoftcap: number | null;
  readonly logitSoftcap: number | null;
  /** per layer: how many last positions a query sees, 0 for all */
  readonly windows: readonly number[];
  readonly tiedEmbeddings: boolean;
  /**
   * attention and feed-forward part both read the layer's input and are both added to it: gpt_neox with
   * use_parallel_residual, each part behind its own norm; codegen and phi always, both behind one norm
   */
  readonly parallelResidual: boolean;
  /** q and k are normed per head before the rotation (qwen3; phi's qk_layernorm is refused) */
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly anchors: AnchorConfig | null;
  /** from config.json and generation_config.json */
  readonly beginTokenId: number | null;
  readonly endTokenIds: readonly number[];
  readonly padTokenId: number | null;
}

/**
 * Reads a model's config.json.
 *
 * @param json the parsed config.json
 * @param generationConfig the parsed generation_config.json, whose end tokens are added to config.json's
 * @param file what messages call it
 *
 * Throws {@link FormatError} for values that cannot be, and {@link UnsupportedError} for another `model_type` and for a
 * field that would change the result and is not understood.
 */
export function parseConfig(json: unknown, generationConfig?: unknown, file = "config.json"): ModelConfig {
  const fields = new Fields(json, file);
  const modelType = fields.string("model_type");
  const family = FAMILIES.find((name) => name === modelType);
  if (family === undefined) {
    throw new UnsupportedError(
      `${file}: the model type ${show(modelType)} is not supported; supported are ${FAMILIES.join(", ")}`,
    );
  }
  fields.refuse("quantization_config", "only weights stored as f32, f16 or bf16 are read");
  fields.refuse("is_encoder_decoder", "only decoders are supported");
  fields.refuse("add_cross_attention", "only decoders without cross-attention are supported");
  fields.refuse("use_bidirectional_attention", "only causal attention is supported");
  const prunedHeads = fields.raw("pruned_heads") ?? {};
  if (Object.keys(prunedHeads).length > 0) {
    throw new UnsupportedError(
      `${file}: "pruned_heads" is ${show(prunedHeads)}, but only models with all heads are supported`,
    );
  }
  const shape = FAMILY_READERS[family](fields);
  const anchors = parseAnchors(fields, shape.vocabSize, shape.layers);
  const own = readTokenIds(fields);
  fields.finish(IGNORED_FIELDS);
  const generation = readTokenIds(new Fields(generationConfig ?? {}, "generation_config.json"));
  return {
    family,
    ...shape,
    anchors,
    beginTokenId: generation.begin ?? own.begin,
    endTokenIds: [...new Set([...generation.end, ...own.end])],
    padTokenId: generation.pad ?? own.pad,
  };
}

/** Real ones have a few kilobytes. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

/** Reads config.json of a folder, and generation_config.json if it is there, as {@link parseConfig} does. */
export async function loadConfig(folder: ModelFolder, signal?: AbortSignal): Promise<ModelConfig> {
  const json = await readJson(folder, "config.json", MAX_CONFIG_BYTES, signal);
  const hasGeneration = await folder.has("generation_config.json");
  const generation = hasGeneration
    ? await readJson(folder, "generation_config.json", MAX_CONFIG_BYTES, signal)
    : undefined;
  return parseConfig(json, generation);
}

/** Token ids of a config; negative ones, which some configs have for "none", are none. */
function readTokenIds(fields: Fields): { begin: number | null; end: number[]; pad: number | null } {
  const ids = (name: string): number[] =>
    fields.integers(name, { min: -(2 ** 31), max: 2 ** 31 }).filter((id) => id >= 0);
  return { begin: ids("bos_token_id")[0] ?? null, end: ids("eos_token_id"), pad: ids("pad_token_id")[0] ?? null };
}

/** The `anchor_attention` block: which tokens are anchors, and which layers also look at a lower layer's anchors. */
function parseAnchors(config: Fields, vocabSize: number, layers: number): AnchorConfig | null {
  const block = config.raw("anchor_attention");
  if (block === undefined) return null;
  const fields = new Fields(block, `${config.where} "anchor_attention"`);
  const tokenIds = fields.integers("anchor_token_ids", { min: 0, max: vocabSize - 1 });
  if (tokenIds.length === 0) throw fields.wrong("anchor_token_ids", "a list of at least one token id");
  const map = fields.raw("layer_map") ?? {};
  if (typeof map !== "object" || Array.isArray(map)) throw fields.wrong("layer_map", "an object from layer to layer");
  const layerMap = new Map<number, number>();
  for (const [key, source] of Object.entries(map)) {
    const target = /^\d{1,9}$/.test(key) ? Number(key) : -1;
    const isDownward = typeof source === "number" && Number.isInteger(source) && source >= 0 && source < target;
    if (target < 0 || target >= layers || !isDownward) {
      throw new FormatError(
        fields.where,
        `"layer_map" maps layer ${show(key)} to ${show(source)}; wanted a layer below ${layers} mapped to one before it`,
      );
    }
    layerMap.set(target, source);
  }
  const anchors: AnchorConfig = {
    tokenIds,
    sinks: fields.integer("sinks", { min: 0, max: 2 ** 31 }, 1),
    anchorSeesAnchors: fields.boolean("anchor_sees_anchors", true),
    layerMap,
  };
  fields.finish();
  return anchors;
}
