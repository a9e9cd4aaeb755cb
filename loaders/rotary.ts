// The rotary settings of config.json in both spellings (`rope_theta` / `rope_scaling`, and `rope_parameters`),
// and the inverse frequencies they stand for: the angle of position p in dimension pair i is p * frequency[i].
// Computed step by step in float32 where transformers (modeling_rope_utils.py, 5.23) does, so that long positions agree.
// Sources: RoFormer (arXiv 2104.09864); dynamic NTK (u/emozilla); YaRN (arXiv 2309.00071); Llama 3.1's model code.

import { Fields, show } from "./config-fields.ts";
import { FormatError, UnsupportedError } from "./errors.ts";

const KINDS = ["default", "linear", "dynamic", "llama3", "yarn"] as const;

/** How positions become angles. `dims` is how many of a head's dimensions are rotated. */
export interface Rotary {
  readonly kind: "default" | "linear" | "dynamic" | "llama3" | "yarn";
  readonly theta: number;
  readonly dims: number;
  /** linear, dynamic, llama3, yarn */
  readonly factor: number;
  /** the length the model was trained at: dynamic, llama3, yarn */
  readonly originalContextLength: number;
  /** llama3 */
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  /** yarn */
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly truncate: boolean;
  /** multiplies cos and sin: yarn's attention factor, 1 otherwise */
  readonly attentionFactor: number;
}

/** The fields of the rest of config.json that rotary settings depend on. */
export interface RotaryShape {
  readonly headDim: number;
  readonly contextLength: number;
  /** The share of a head that is rotated if the settings do not say; undefined where the family rotates all of it. */
  readonly defaultPart?: number | undefined;
  /** Names of the base and the part outside `rope_parameters`: gpt_neox has its own. */
  readonly thetaName?: string | undefined;
  readonly partName?: string | undefined;
}

/**
 * Reads rotary settings out of a config.json.
 *
 * Throws {@link FormatError} for values that cannot be, {@link UnsupportedError} for kinds other than default, linear,
 * dynamic, llama3 and yarn, and for settings of an unknown name.
 */
export function parseRotary(json: unknown, shape: RotaryShape, file = "config.json"): Rotary {
  return readRotary(new Fields(json, file), shape);
}

/** As {@link parseRotary}, marking what it read. */
export function readRotary(fields: Fields, shape: RotaryShape): Rotary {
  const { contextLength, headDim, thetaName = "rope_theta", partName = "partial_rotary_factor" } = shape;
  const settings = scalingSettings(fields);
  const theta = settings.positive("rope_theta", fields.positive(thetaName, 10_000));
  if (theta <= 1) throw settings.wrong("rope_theta", "a number above 1");
  const part = settings.positive("partial_rotary_factor", fields.positive(partName, shape.defaultPart ?? 1));
  if (shape.defaultPart === undefined && part !== 1) {
    throw new UnsupportedError(
      `${fields.where}: "partial_rotary_factor" is ${part}, but this family rotates whole heads`,
    );
  }
  const dims = Math.floor(headDim * part);
  if (part > 1 || dims < 2 || dims % 2 !== 0) {
    throw new FormatError(
      fields.where,
      `${part} of a head's ${headDim} dimensions are to be rotated, which makes ${dims}; wanted an even number in 2..${headDim}`,
    );
  }
  const kind = kindOf(settings);
  const base: Rotary = {
    kind,
    theta,
    dims,
    factor: 1,
    originalContextLength: contextLength,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    betaFast: 32,
    betaSlow: 1,
    truncate: true,
    attentionFactor: 1,
  };
  const rotary = readKind(kind, base, settings, fields, shape);
  // Known to this format, but without a meaning for some kinds.
  settings.ignore("factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "finetuned");
  settings.ignore("beta_fast", "beta_slow", "truncate", "attention_factor", "mscale", "mscale_all_dim");
  settings.finish();
  return rotary;
}

function readKind(kind: Rotary["kind"], base: Rotary, settings: Fields, fields: Fields, shape: RotaryShape): Rotary {
  const lengths = { min: 1, max: 2 ** 31 };
  const original = (): number =>
    fields.integer(
      "original_max_position_embeddings",
      lengths,
      settings.integer("original_max_position_embeddings", lengths, shape.contextLength),
    );
  switch (kind) {
    case "default":
      return base;
    case "linear":
      return { ...base, factor: settings.positive("factor") };
    case "dynamic":
      if (base.dims === 2)
        throw new FormatError(settings.where, "dynamic scaling is not defined for 2 rotated dimensions");
      return { ...base, factor: settings.positive("factor") };
    case "llama3": {
      const lowFrequencyFactor = settings.positive("low_freq_factor");
      const highFrequencyFactor = settings.positive("high_freq_factor");
      if (highFrequencyFactor <= lowFrequencyFactor) {
        throw settings.wrong("high_freq_factor", `more than low_freq_factor, which is ${lowFrequencyFactor}`);
      }
      const factor = settings.positive("factor");
      return { ...base, factor, originalContextLength: original(), lowFrequencyFactor, highFrequencyFactor };
    }
    case "yarn": {
      const originalContextLength = original();
      const factor = settings.positive("factor", shape.contextLength / originalContextLength);
      // transformers reads 0 as "not given" here.
      const orElse = (name: string, fallback: number): number =>
        settings.raw(name) === 0 ? fallback : settings.positive(name, fallback);
      return {
        ...base,
        factor,
        originalContextLength,
        betaFast: orElse("beta_fast", 32),
        betaSlow: orElse("beta_slow", 1),
        truncate: settings.boolean("truncate", true),
        attentionFactor: settings.positive(
          "attention_factor",
          yarnAttentionFactor(factor, orElse("mscale", 0.5), orElse("mscale_all_dim", 0.5), settings),
        ),
      };
    }
    default:
      return kind satisfies never;
  }
}

/** YaRN's scale of cos and sin (section 3.4 of the paper), with the two factors that DeepSeek added. */
function yarnAttentionFactor(factor: number, mscale: number, mscaleAllDim: number, settings: Fields): number {
  const scale = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
  const areGiven = Boolean(settings.raw("mscale")) && Boolean(settings.raw("mscale_all_dim"));
  return areGiven ? scale(mscale) / scale(mscaleAllDim) : scale(1);
}

/** The object that holds the kind and its numbers: `rope_scaling` if it says anything, else `rope_parameters`. */
function scalingSettings(fields: Fields): Fields {
  fields.ignore("rope_parameters"); // even where rope_scaling, which goes first, makes it moot
  for (const name of ["rope_scaling", "rope_parameters"]) {
    const value = fields.raw(name);
    if (value === undefined) continue;
    const where = `${fields.where} "${name}"`;
    const settings = new Fields(value, where);
    const nested = ["full_attention", "sliding_attention"]
      .map((type) => settings.raw(type))
      .filter((v) => v !== undefined);
    if (nested.length === 0) {
      if (Object.keys(value as object).length > 0) return settings;
      continue;
    }
    if (nested.some((other) => JSON.stringify(other) !== JSON.stringify(nested[0]))) {
      throw new UnsupportedError(
        `${where} differs between full and sliding layers; only one rotation for all is supported`,
      );
    }
    return new Fields(nested[0], where);
  }
  return new Fields({}, fields.where);
}

function kindOf(settings: Fields): Rotary["kind"] {
  const older = settings.string("type", "default");
  const name = settings.string("rope_type", older);
  const kind = KINDS.find((known) => known === name);
  if (kind === undefined) {
    throw new UnsupportedError(
      `${settings.where}: the rotary kind ${show(name)} is not supported; supported are ${KINDS.join(", ")}`,
    );
  }
  return kind;
}

const { fround } = Math;

/**
 * The inverse frequencies [dims / 2], float32.
 *
 * @param sequenceLength how many positions the sequence has so far: only `dynamic` looks at it, and only beyond the
 *   trained length
 */
export function inverseFrequencies(rotary: Rotary, sequenceLength?: number): Float32Array {
  const { kind, dims, theta, factor } = rotary;
  switch (kind) {
    case "default":
      return plainFrequencies(theta, dims);
    case "linear":
      return plainFrequencies(theta, dims).map((frequency) => frequency / fround(factor));
    case "dynamic": {
      const trained = rotary.originalContextLength;
      const length = Math.max(sequenceLength ?? trained, trained);
      const stretched = theta * ((factor * length) / trained - (factor - 1)) ** (dims / (dims - 2));
      return plainFrequencies(stretched, dims);
    }
    case "llama3":
      return llama3Frequencies(rotary);
    case "yarn":
      return yarnFrequencies(rotary);
    default:
      return kind satisfies never;
  }
}

/** theta^(2i / dims), float32 [dims / 2] */
function powers(theta: number, dims: number): Float32Array {
  const base = fround(theta);
  return Float32Array.from({ length: dims / 2 }, (_, i) => base ** fround((2 * i) / dims));
}

function plainFrequencies(theta: number, dims: number): Float32Array {
  return powers(theta, dims).map((power) => 1 / power);
}

/** Long waves are slowed by the factor, short ones kept, those between blended. */
function llama3Frequencies(rotary: Rotary): Float32Array {
  const { theta, dims, factor, originalContextLength: length } = rotary;
  const { lowFrequencyFactor: low, highFrequencyFactor: high } = rotary;
  return plainFrequencies(theta, dims).map((frequency) => {
    const wavelength = fround(fround(2 * Math.PI) / frequency);
    if (wavelength > fround(length / low)) return frequency / fround(factor);
    if (wavelength < fround(length / high)) return frequency;
    const smooth = fround(fround(fround(length / wavelength) - fround(low)) / fround(high - low));
    const slowed = fround(fround(fround(1 - smooth) * frequency) / fround(factor));
    return slowed + fround(smooth * frequency);
  });
}

/** Pairs that turn often are kept, those that turn seldom slowed by the factor, those between blended by a ramp. */
function yarnFrequencies(rotary: Rotary): Float32Array {
  const { theta, dims, factor, originalContextLength, betaFast, betaSlow, truncate } = rotary;
  /** The pair that makes this many turns within the trained length. */
  const pairOf = (turns: number): number =>
    (dims * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const first = truncate ? Math.floor(pairOf(betaFast)) : pairOf(betaFast);
  const last = truncate ? Math.ceil(pairOf(betaSlow)) : pairOf(betaSlow);
  const begin = Math.max(first, 0);
  let end = Math.min(last, dims - 1);
  if (begin === end) end += 0.001;
  return powers(theta, dims).map((power, i) => {
    const ramp = Math.min(1, Math.max(0, fround(fround(i - fround(begin)) / fround(end - begin))));
    const kept = fround(1 - ramp);
    const slowed = fround(1 / fround(fround(factor) * power));
    return fround(slowed * fround(1 - kept)) + fround(fround(1 / power) * kept);
  });
}
