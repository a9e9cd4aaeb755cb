import { checkOptions, numberInRange } from "../../options.ts";
import { budgetText, checkBudget, keysOf } from "./budget.ts";
import { DENSE_RULE, type ChooserPolicy } from "./policy.ts";
import { checkPool, checkWindow } from "./best-keys.ts";
import { keepObserved, SNAP_KV_DEFAULTS, type SnapKvOptions } from "./snap-kv.ts";

/** What {@link pyramidKv} takes; `budget` is the mean over the layers. */
export interface PyramidKvOptions extends SnapKvOptions {
  /** the deepest layer keeps (budget - window) / beta keys and the window; default 20 */
  readonly beta?: number | undefined;
}

export const DEFAULT_BETA = 20;

/**
 * {@link pyramidSchedule}'s share for each layer of what SnapKV keeps, once, at the prompt's end: PyramidKV (arXiv
 * 2406.02069). Keys that come later all stay. Throws a RangeError for what SnapKV refuses and unless `beta` is a number >= 1.
 */
export function pyramidKv(options: PyramidKvOptions): ChooserPolicy {
  checkOptions("pyramid-kv", options, { budget: true, window: true, pool: true, beta: true });
  const { window = SNAP_KV_DEFAULTS.window, pool = SNAP_KV_DEFAULTS.pool, beta = DEFAULT_BETA } = options;
  const mean = checkBudget("pyramid-kv", options.budget);
  checkWindow("pyramid-kv", window, mean);
  checkPool("pyramid-kv", pool);
  numberInRange("pyramid-kv", "beta", beta, "a number of at least 1", (value) => value >= 1);
  const budgetOf = (layer: number | null, layers: number, promptLength: number) => {
    const budget = keysOf(mean, promptLength, window + 1);
    return layer === null || budget === Infinity
      ? budget
      : pyramidSchedule({ budget, window, beta, layers, promptLength })[layer]!;
  };
  const changed = [
    ...(beta === DEFAULT_BETA ? [] : [`,beta=${beta}`]),
    ...(window === SNAP_KV_DEFAULTS.window ? [] : [`,window=${window}`]),
    ...(pool === SNAP_KV_DEFAULTS.pool ? [] : [`,pool=${pool}`]),
  ];
  return {
    name: `pyramid-kv:${budgetText(mean)}${changed.join("")}`,
    rule: DENSE_RULE,
    isPerLayer: true,
    keepsPrompt: true,
    statistics: ["observed"],
    observedQueries: window,
    budget: budgetOf,
    keep(view) {
      if (!view.isPromptEnd) return null;
      const own = budgetOf(view.layer, view.layers, view.promptLength);
      return keepObserved("pyramid-kv", view, own, window, pool);
    },
  };
}

/**
 * Keys [layers] that each layer keeps of a prompt, its window among them. With base = budget - window the others fall
 * linearly with depth from 2 · base - floor(base / beta) to floor(base / beta); where the prompt is too short for the first
 * layer's share, from promptLength - window to what then leaves the mean at base. All layers of a prompt shorter than 2 · base,
 * or that fits the budget, get the same. All this is the authors' code, but that rounds the slope down, which adds up to layers² / 2 keys: here
 * shares are rounded so that layers · budget keys are kept exactly, more never in a deeper layer than in one before it.
 */
export function pyramidSchedule(options: {
  readonly budget: number;
  readonly window: number;
  readonly beta: number;
  readonly layers: number;
  readonly promptLength: number;
}): Uint32Array {
  const { budget, window, beta, layers, promptLength } = options;
  const base = budget - window;
  const schedule = new Uint32Array(layers).fill(budget);
  if (layers < 2 || promptLength <= budget || promptLength < 2 * base) return schedule;
  const most = Math.min(2 * base - Math.floor(base / beta), promptLength - window);
  const fall = 2 * (most - base);
  // shares in units of 1 / (layers - 1), so that they are whole numbers
  const shares = Array.from(schedule, (_, layer) => most * (layers - 1) - layer * fall);
  let left = base * layers;
  for (const share of shares) left -= Math.floor(share / (layers - 1));
  for (const [layer, share] of shares.entries()) {
    const isRoundedUp = left > 0 && share % (layers - 1) !== 0;
    if (isRoundedUp) left--;
    schedule[layer] = window + Math.floor(share / (layers - 1)) + Number(isRoundedUp);
  }
  return schedule;
}
