// Studies a model's attention on a text: dilution (how much of it the prompt keeps as the text grows), sparsity, and
// which classes of tokens draw it. One forward pass a group of layers, so that the patterns never fill the memory.

import { attentionDilution } from "../attention/attention-share.ts";
import type { RowOptions } from "../attention/pattern.ts";
import { sparsityOf, type Sparsity } from "../attention/sparsity.ts";
import { massByClass, tokenClasses, type ClassShares } from "../attention/token-classes.ts";
import { isVisible } from "../../kernels/index.ts";
import { marksOf } from "../attention/anchors.ts";
import type { CachePolicy } from "../cache/policies/index.ts";
import { resolveKeeping } from "../cache/keeping.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { Model } from "./model.ts";
import type { CapturedTensor } from "./captured.ts";
import { withLineAnchors } from "./line-anchors.ts";

/** Options of {@link studyAttention}. */
export interface AttentionStudyOptions {
  /** tokens of the prompt; the rest is what was generated after it; all by default */
  readonly promptLength?: number | undefined;
  /** layers whose mean the dilution is; the last by default, as in the paper */
  readonly dilutionLayers?: readonly number[] | undefined;
  /** the policy by whose rule keys are visible */
  readonly cache?: CachePolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STUDY_OPTIONS: OptionNames<AttentionStudyOptions> = {
  promptLength: true,
  dilutionLayers: true,
  cache: true,
  signal: true,
};

/** One layer's attention, all heads together and each alone. */
export interface LayerStudy {
  readonly layer: number;
  /** Gini coefficients, and the mass of the two largest weights, of rows with 32 keys or more */
  readonly sparsity: Sparsity;
  readonly heads: readonly Sparsity[];
  /** share of attention by class of token; null where no row has a key */
  readonly classes: ClassShares | null;
}

/** The result of {@link studyAttention}: dilution of the prompt, and sparsity by layer. */
export interface AttentionStudy {
  readonly tokens: number;
  readonly promptLength: number;
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
  const { promptLength = tokens.length, signal } = options;
  const cache = withLineAnchors(options.cache, model);
  const dilutionLayers = [...new Set(options.dilutionLayers ?? [config.layers - 1])];
  if (!(Number.isInteger(promptLength) && promptLength >= 1 && promptLength <= tokens.length)) {
    throw new RangeError(
      `promptLength is ${promptLength}: the text has ${tokens.length} tokens, 1 or more of them the prompt's`,
    );
  }
  const bad = dilutionLayers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < config.layers));
  if (bad !== undefined) throw new RangeError(`there is no layer ${bad}: the model has ${config.layers}`);
  const classes = tokenClasses(tokens.map((token) => (tokenizer ? tokenizer.decode([token]) : String(token))));
  const rowsAfter = Array.from({ length: tokens.length - promptLength + 1 }, (_, i) => promptLength - 1 + i);
  const dilution = new Float64Array(rowsAfter.length);
  const layers: LayerStudy[] = [];
  const perPass = Math.max(1, Math.floor(PATTERN_BYTES / (config.heads * tokens.length ** 2 * 4)));
  for (let first = 0; first < config.layers; first += perPass) {
    const group = Array.from({ length: Math.min(perPass, config.layers - first) }, (_, i) => first + i);
    const { captured } = await model.forward(tokens, {
      capture: group.map((layer) => `blocks.${layer}.attn.hook_pattern`),
      logits: "none",
      cache,
      signal,
    });
    for (const layer of group) {
      const pattern = captured[`blocks.${layer}.attn.hook_pattern`]!;
      const rows = visibleTo(model, layer, tokens, pattern, cache);
      const { heads, giniOfRows: _gini, topMassOfRows: _top, ...sparsity } = sparsityOf(pattern, rows);
      const ofColumns = rows.keyPositions ? [...classes, ...classes] : classes;
      layers.push({ layer, sparsity, heads, classes: massByClass(pattern, ofColumns, rows).all });
      if (!dilutionLayers.includes(layer)) continue;
      const share = attentionDilution([pattern], promptLength, rows);
      for (const [i, row] of rowsAfter.entries()) dilution[i]! += share[row]! / dilutionLayers.length;
    }
  }
  return { tokens: tokens.length, promptLength, dilution: [...dilution], layers };
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
