// Parses config.json to a ModelConfig. Only this file and config-families.ts know the foreign names (`hidden_size`, `n_embd`, ...).
// A field that would change the result and is not understood is refused by name.

import { FAMILY_READERS } from "./config-families.ts";
import { Fields, IGNORED_FIELDS, show } from "./config-fields.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { readJson, type ModelFolder } from "./model-folder.ts";
import { MODEL_TYPES, type AnchorConfig, type ModelConfig } from "./model-config.ts";

export { MODEL_TYPES, type Activation, type AnchorConfig, type ModelType, type ModelConfig } from "./model-config.ts";

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
  const given = fields.string("model_type");
  const modelType = MODEL_TYPES.find((name) => name === given);
  if (modelType === undefined) {
    throw new UnsupportedError(
      `${file}: the model type ${show(given)} is not supported; supported are ${MODEL_TYPES.join(", ")}`,
    );
  }
  if (!isEmpty(fields.raw("quantization_config"))) {
    fields.refuse("quantization_config", "only weights stored as f32, f16 or bf16 are read");
  }
  fields.refuse("is_encoder_decoder", "only decoders are supported");
  fields.refuse("add_cross_attention", "only decoders without cross-attention are supported");
  fields.refuse("use_bidirectional_attention", "only causal attention is supported");
  if (!isEmpty(fields.raw("pruned_heads"))) {
    fields.refuse("pruned_heads", "only models with all heads are supported");
  }
  const shape = FAMILY_READERS[modelType](fields);
  const anchors = parseAnchors(fields, shape.vocabSize, shape.layers);
  const own = readTokenIds(fields, shape.vocabSize);
  ignoreFullLayers(fields);
  fields.finish(IGNORED_FIELDS);
  const generation = readTokenIds(new Fields(generationConfig ?? {}, "generation_config.json"), shape.vocabSize);
  return {
    modelType,
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

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** `layer_types` of a family that has none, where it says what is the case anyway. */
function ignoreFullLayers(fields: Fields): void {
  const types = fields.peek("layer_types");
  if (Array.isArray(types) && types.every((type) => type === "full_attention")) fields.ignore("layer_types");
}

/** Token ids of a config. Negative ones, which some configs have for "none", and ones beyond the vocabulary are none. */
function readTokenIds(fields: Fields, vocabSize: number): { begin: number | null; end: number[]; pad: number | null } {
  const ids = (name: string): number[] =>
    fields.integers(name, { min: -(2 ** 31), max: 2 ** 31 }).filter((id) => id >= 0 && id < vocabSize);
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
