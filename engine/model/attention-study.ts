// Studies a model's attention on a text: dilution (how much of it the prompt keeps as the text grows), sparsity, and
// which classes of tokens draw it. One forward pass a group of layers, so that the patterns never fill the memory.

import { attentionDilution } from "../attention/attention-share.ts";
import { forEachRow, type RowOptions } from "../attention/pattern.ts";
import { sparsityOf, STUDIED_KEYS, type Sparsity } from "../attention/sparsity.ts";
import { massByClass, tokenClasses, type ClassShares } from "../attention/token-classes.ts";
import { isVisible } from "../../kernels/index.ts";
import { marksOf } from "../attention/anchors.ts";
import type { CachePolicy } from "../cache/policies/index.ts";
import { resolveKeeping } from "../cache/keeping.ts";
import { checkPromptLength } from "../cache/prompt-length.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import type { Model } from "./model.ts";
import type { CapturedTensor } from "./captured.ts";
import { withLineAnchors } from "./line-anchors.ts";

/** Options of {@link studyAttention}. */
export interface AttentionStudyOptions {
  /** tokens of the prompt; the rest is what was generated after it; all by default, but a policy that chooses keys needs it */
  readonly promptLength?: number | undefined;
  /** layers whose mean the dilution is; the last by default, as in the paper */
  readonly dilutionLayers?: readonly number[] | undefined;
  /** the policy by whose rule keys are visible; one that chooses keys acts at the prompt's end and after each token behind it */
  readonly cache?: CachePolicy | undefined;
  /** rows that see fewer keys are left out of the sparsity; 32 by default */
  readonly minKeys?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STUDY_OPTIONS: OptionNames<AttentionStudyOptions> = {
  promptLength: true,
  dilutionLayers: true,
  cache: true,
  minKeys: true,
  signal: true,
};

/** One layer's attention, all heads together and each alone. */
export interface LayerStudy {
  readonly layer: number;
  /** Gini coefficients, and the mass of the two largest weights, of rows with `minKeys` keys or more; null where there is no such row */
  readonly sparsity: Sparsity;
  /** rows that see `minKeys` keys or more, of each head: those of the sparsity */
  readonly studiedRows: number;
  /** keys of the row that sees the most */
  readonly mostKeys: number;
  readonly heads: readonly Sparsity[];
  /** share of attention by class of token; null where no row has a key */
  readonly classes: ClassShares | null;
}

/** The result of {@link studyAttention}: dilution of the prompt, and sparsity by layer. */
export interface AttentionStudy {
  readonly tokens: number;
  readonly promptLength: number;
  readonly minKeys: number;
  /** [tokens - promptLength + 1]: the prompt's share of attention when each token after it was chosen, and then of the last */
  readonly dilution: readonly number[];
  readonly layers: readonly LayerStudy[];
}

/** Bytes of patterns that are held at a time. */
const PATTERN_BYTES = 96 << 20;

/** Studies attention over `tokens` [prompt and what follows]. Throws a RangeError for layers that are not there. */
export async function studyAttention(
  model: Model,
  tokens: readonly number[],
  options: AttentionStudyOptions = {},
): Promise<AttentionStudy> {
  checkOptions("studyAttention", options, STUDY_OPTIONS);
  const { config, tokenizer } = model;
  const { promptLength = tokens.length, minKeys = STUDIED_KEYS, signal } = options;
  const cache = withLineAnchors(options.cache, model);
  const dilutionLayers = [...new Set(options.dilutionLayers ?? [config.layers - 1])];
  wholeNumbers("studyAttention", { minKeys }, 0);
  const text = { tokens: tokens.length, most: tokens.length, policy: cache, isOnePass: true };
  checkPromptLength("studyAttention", { ...text, promptLength: options.promptLength });
  const bad = dilutionLayers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < config.layers));
  if (bad !== undefined) throw new RangeError(`there is no layer ${bad}: the model has ${config.layers}`);
  const classes = tokenClasses(tokens.map((token) => (tokenizer ? tokenizer.decode([token]) : String(token))));
  const rowsAfter = Array.from({ length: tokens.length - promptLength + 1 }, (_, i) => promptLength - 1 + i);
  const dilution = new Float64Array(rowsAfter.length);
  const layers: LayerStudy[] = [];
  const kinds = cache?.keep ? ["hook_pattern", "hook_attn_scores"] : ["hook_pattern"];
  const layerBytes = kinds.length * config.heads * tokens.length ** 2 * 4;
  const perPass = Math.max(1, Math.floor(PATTERN_BYTES / layerBytes));
  for (let first = 0; first < config.layers; first += perPass) {
    const group = Array.from({ length: Math.min(perPass, config.layers - first) }, (_, i) => first + i);
    const { captured } = await model.forward(tokens, {
      capture: group.flatMap((layer) => kinds.map((kind) => `blocks.${layer}.attn.${kind}`)),
      logits: "none",
      cache,
      promptLength: options.promptLength,
      signal,
    });
    for (const layer of group) {
      const pattern = captured[`blocks.${layer}.attn.hook_pattern`]!;
      const scores = captured[`blocks.${layer}.attn.hook_attn_scores`];
      const rows = scores ? seenIn(scores) : visibleTo(model, layer, tokens, pattern, cache);
      const { heads, giniOfRows: _gini, topMassOfRows: _top, ...sparsity } = sparsityOf(pattern, { ...rows, minKeys });
      const keys = keysOfRows(pattern, rows);
      const ofColumns = rows.keyPositions ? [...classes, ...classes] : classes;
      layers.push({
        layer,
        sparsity,
        studiedRows: keys.filter((count) => count >= minKeys).length,
        mostKeys: Math.max(...keys),
        heads,
        classes: massByClass(pattern, ofColumns, rows).all,
      });
      if (!dilutionLayers.includes(layer)) continue;
      const share = attentionDilution([pattern], promptLength, rows);
      for (const [i, row] of rowsAfter.entries()) dilution[i]! += share[row]! / dilutionLayers.length;
    }
  }
  return { tokens: tokens.length, promptLength, minKeys, dilution: [...dilution], layers };
}

/** Which columns each row saw, from a layer's scores: those of hidden and dropped keys are -Infinity. */
function seenIn({ shape, data }: CapturedTensor): RowOptions {
  const [, rows = 0, keys = 0] = shape;
  const positions = Array.from({ length: rows }, (_, position) => position);
  return {
    rowPositions: positions,
    ...(keys === 2 * rows && { keyPositions: [...positions, ...positions] }),
    isVisible: (row, column) => data[row * keys + column] !== -Infinity,
  };
}

/** [rows] keys that each row sees, the same for all heads. */
function keysOfRows(pattern: CapturedTensor, rows: RowOptions): number[] {
  const counts = Array.from({ length: pattern.shape[1]! }, () => 0);
  const first = { shape: [1, ...pattern.shape.slice(1)], data: pattern.row(0) };
  forEachRow(first, rows, ({ row, weights }) => (counts[row] = weights.length));
  return counts;
}

/** Which columns of a layer's pattern each row may see: by the policy's rule, the layer's window, and as a second source. */
function visibleTo(
  { config }: Model,
  layer: number,
  tokens: readonly number[],
  { shape }: CapturedTensor,
  cache: CachePolicy | undefined,
): RowOptions {
  const count = tokens.length;
  const isDouble = shape[2] === 2 * count;
  const keeping = resolveKeeping(config, cache);
  const rule = { ...keeping.rule, window: config.windows[layer]! };
  const marks = marksOf(tokens, keeping.isAnchor);
  const positions = Array.from({ length: count }, (_, position) => position);
  return {
    rowPositions: positions,
    ...(isDouble && { keyPositions: [...positions, ...positions] }),
    isVisible: (row, column) =>
      column < count ? isVisible(rule, row, marks[row]!, column, marks[column]!) : (marks[column - count]! & 1) === 1,
  };
}
