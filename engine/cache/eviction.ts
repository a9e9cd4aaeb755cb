// Eviction after a step: updates the statistics of a sequence's keys and applies its policy.

import { survivors } from "../attention/visibility.ts";
import type { KeyList } from "./key-list.ts";
import { canDrop, type Keeping } from "./keeping.ts";
import type { AttentionStatistic, KeyView } from "./policies/policy.ts";
import type { CachedSequence, LayerAttention } from "./sequence.ts";
import type { CacheStore } from "./store.ts";

/** Numbers read back from a step for statistics. */
export interface StepStatistics {
  /** by layer: [rows, columns], attention summed over heads; column e is the e-th key of the row's list */
  readonly attention: ReadonlyMap<number, Float32Array>;
  /** by layer: [rows], norms of the new keys */
  readonly keyNorms: ReadonlyMap<number, Float32Array>;
  readonly columns: number;
}

/** The rows begin..end of a step that belong to one sequence. */
export interface SequenceRows {
  readonly sequence: CachedSequence;
  readonly begin: number;
  readonly end: number;
}

/** Sizes of the model. */
export interface ModelSizes {
  readonly layers: number;
  readonly heads: number;
}

/**
 * Updates the statistics of a sequence and lets its policy drop keys. Call it before the next step of the sequence. Throws a
 * RangeError when a policy names keys that are not there, drops the newest, or keeps more than its budget.
 */
export function applyPolicy(store: CacheStore, rows: SequenceRows, read: StepStatistics, sizes: ModelSizes): void {
  const { sequence } = rows;
  const { keeping, stored } = sequence;
  const isPromptEnd = stored.length === sequence.promptLength;
  tellWatcher(rows, read, sizes.heads);
  const needs = keeping.policy.statistics ?? [];
  for (const [index, list] of stored.lists.entries()) {
    for (const name of needs) gather(name, rows, read, index, list, sizes.heads);
    if (canDrop(keeping)) {
      const next = { position: stored.length, segment: stored.segment, keepsAnchors: keeping.keepsAnchors };
      const keys = { positions: list.positions(), marks: list.marks() };
      const kept = survivors(keeping.dropRule, keys, next);
      if (kept.length < list.length) store.evict(stored, index, kept);
    }
    const checkBudget = () => checkKeysLeft(keeping, index, sequence.promptLength, list.length, sizes.layers);
    if (!keeping.policy.keep) {
      checkBudget();
      continue;
    }
    const view: KeyView = {
      layer: keeping.isPerLayer ? index : null,
      layers: sizes.layers,
      positions: list.positions(),
      marks: list.marks(),
      promptLength: sequence.promptLength,
      isPromptEnd,
      statistics: Object.fromEntries(needs.map((name) => [name, list.statistic(name)])),
    };
    const kept = keeping.policy.keep(view);
    if (kept) {
      checkKept(keeping.policy.name, kept, list.length);
      if (kept.length < list.length) store.evict(stored, index, kept);
    }
    if (kept || isPromptEnd) checkBudget();
  }
}

/** Throws a RangeError if a policy has kept more keys of a list than its budget. */
function checkKeysLeft(
  { policy, isPerLayer }: Keeping,
  index: number,
  promptLength: number,
  keys: number,
  layers: number,
): void {
  const most = policy.budget?.(isPerLayer ? index : null, layers, promptLength) ?? Infinity;
  if (keys <= most) return;
  const where = isPerLayer ? ` of layer ${index}` : "";
  throw new RangeError(`policy "${policy.name}" keeps ${keys} keys${where}, but its budget is ${most}`);
}

/** Throws a RangeError unless a policy returns ascending indices of the list that include the newest key. */
function checkKept(name: string, kept: Uint32Array, length: number): void {
  let previous = -1;
  for (const key of kept) {
    if (key <= previous || key >= length) {
      throw new RangeError(
        `policy "${name}" keeps key ${key} after ${previous} of ${length}; it must name ascending indices`,
      );
    }
    previous = key;
  }
  if (previous !== length - 1) {
    throw new RangeError(`policy "${name}" drops the newest of ${length} keys; every policy must keep it`);
  }
}

/** Adds a step's contribution to one statistic of a list. */
function gather(
  name: AttentionStatistic,
  { sequence, begin, end }: SequenceRows,
  { attention, keyNorms, columns }: StepStatistics,
  index: number,
  list: KeyList,
  heads: number,
): void {
  const values = list.statistic(name);
  // A list over all layers gets the mean of the layers.
  const layersOf = (read: ReadonlyMap<number, Float32Array>) =>
    sequence.keeping.isPerLayer ? [index] : [...read.keys()];
  if (name === "key-norm") {
    const layers = layersOf(keyNorms);
    const newest = values.subarray(list.length - (end - begin));
    for (const layer of layers) {
      for (let row = begin; row < end; row++) newest[row - begin]! += keyNorms.get(layer)![row]! / layers.length;
    }
    return;
  }
  const layers = layersOf(attention);
  const first = sequence.stored.length - (end - begin);
  const observed = sequence.keeping.policy.observedQueries ?? 0;
  if (name === "last") values.fill(0);
  for (let row = begin; row < end; row++) {
    const position = first + row - begin;
    if (name === "last" && row !== end - 1) continue;
    const { promptLength } = sequence;
    if (name === "observed" && !(position < promptLength && position >= promptLength - observed)) continue;
    // "accumulated" is summed over heads, the others are means over heads
    const scale = (name === "accumulated" ? 1 : 1 / heads) / layers.length;
    for (const layer of layers) {
      const sums = attention.get(layer)!;
      for (let key = 0; key < list.length; key++) values[key]! += sums[row * columns + key]! * scale;
    }
  }
}

/** Tells the sequence's watcher the newest row's attention in the watched layers. */
function tellWatcher({ sequence, end }: SequenceRows, { attention, columns }: StepStatistics, heads: number): void {
  if (!sequence.onAttention) return;
  const { lists, length } = sequence.stored;
  const layers = new Map<number, LayerAttention>();
  for (const [layer, sums] of attention) {
    const positions = lists[sequence.keeping.isPerLayer ? layer : 0]!.positions();
    const row = sums.subarray((end - 1) * columns, (end - 1) * columns + positions.length);
    layers.set(layer, { positions, weights: row.map((weight) => weight / heads) });
  }
  sequence.onAttention({ position: length - 1, layers });
}
