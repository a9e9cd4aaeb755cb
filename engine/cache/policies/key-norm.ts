import { wholeNumber } from "../../options.ts";
import { budgetText, keysOf } from "./budget.ts";
import { DENSE_RULE, type ChooserPolicy } from "./policy.ts";
import { checkEviction, isInsidePrompt, keepLargest, statisticOf, type EvictionOptions } from "./best-keys.ts";

/** What {@link keyNorm} takes. */
export interface KeyNormOptions extends EvictionOptions {
  /** first layers that keep everything; default 0. The authors' code leaves the first 2 whole: there, norms tell little. */
  readonly wholeLayers?: number | undefined;
}

/**
 * Keeps the keys with the smallest L2 norm, which tend to be those that get the most attention (Devoto and others, arXiv
 * 2406.11430), and the newest. Differs from the paper: the heads of a layer share one list and their mean norm decides. Throws
 * a RangeError for a budget that is none and unless `wholeLayers` is a whole number >= 0.
 */
export function keyNorm(options: KeyNormOptions): ChooserPolicy {
  const { budget, duringPrompt } = checkEviction("key-norm", options, { wholeLayers: true });
  const { wholeLayers = 0 } = options;
  wholeNumber("key-norm", "wholeLayers", wholeLayers, 0);
  const budgetOf = (layer: number | null, promptLength: number) =>
    layer !== null && layer < wholeLayers ? Infinity : keysOf(budget, promptLength);
  return {
    name: `key-norm:${budgetText(budget)}${wholeLayers === 0 ? "" : `,whole=${wholeLayers}`}`,
    rule: DENSE_RULE,
    isPerLayer: true,
    keepsPrompt: !duringPrompt,
    statistics: ["key-norm"],
    budget: (layer, _layers, promptLength) => budgetOf(layer, promptLength),
    keep(view) {
      const keys = view.positions.length;
      const most = budgetOf(view.layer, view.promptLength);
      if (keys <= most || (!duringPrompt && isInsidePrompt(view))) return null;
      const negated = statisticOf("key-norm", view, "key-norm").map((norm) => -norm);
      return keepLargest(negated, most - 1, keys - 1, keys);
    },
  };
}
