// After a step: statistics are brought up to date, and each sequence's policy says which keys stay.

import { survivors } from "../attention/visibility.ts";
import type { AttentionStatistic, KeyView } from "../cache/policies/policy.ts";
import type { KeyList } from "../cache/key-list.ts";
import type { CacheStore } from "../cache/store.ts";
import { canDrop } from "./keeping.ts";
import type { EngineSequence } from "./sequence.ts";

/** What a step read back for statistics. */
export interface StepWeights {
  /** by weighed layer: [rows, columns], attention summed over heads; column e is the e-th key of the row's list */
  readonly weights: ReadonlyMap<number, Float32Array>;
  /** by layer: [rows], norms of the new keys */
  readonly keyNorms: ReadonlyMap<number, Float32Array>;
  readonly columns: number;
}

/** The rows begin..end of a step that are one sequence's. */
export interface SequenceRows {
  readonly sequence: EngineSequence;
  readonly begin: number;
  readonly end: number;
}

/** Brings statistics up to date and lets the policy choose. To be called before the next step of the sequence. */
export function applyPolicy(
  store: CacheStore,
  rows: SequenceRows,
  read: StepWeights,
  layers: number,
  heads: number,
): void {
  const { sequence } = rows;
  const { keeping, stored } = sequence;
  const isPromptEnd = stored.length === sequence.promptLength;
  watch(rows, read, heads);
  const needs = keeping.policy.statistics ?? [];
  for (const [index, list] of stored.lists.entries()) {
    for (const name of needs) gather(name, rows, read, index, list, heads);
    if (canDrop(keeping)) {
      const next = { position: stored.length, segment: stored.segment, keepsAnchors: keeping.keepsAnchors };
      const keys = { positions: list.positions(), marks: list.marks() };
      const kept = survivors(keeping.dropRule, keys, next);
      if (kept.length < list.length) store.evict(stored, index, kept);
    }
    if (!keeping.policy.keep) continue;
    const view: KeyView = {
      layer: keeping.isPerLayer ? index : null,
      layers,
      positions: list.positions(),
      marks: list.marks(),
      promptLength: sequence.promptLength,
      isPromptEnd,
      statistics: Object.fromEntries(needs.map((name) => [name, list.statistic(name)])),
    };
    const kept = keeping.policy.keep(view);
    if (!kept || kept.length === list.length) continue;
    checkKept(keeping.policy.name, kept, list.length);
    store.evict(stored, index, kept);
  }
}

/** A policy of a user's own is checked: ascending indices of the list, the newest among them. */
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

/** Adds what the step says about one statistic to a list's numbers. */
function gather(
  name: AttentionStatistic,
  { sequence, begin, end }: SequenceRows,
  { weights, keyNorms, columns }: StepWeights,
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
  const layers = layersOf(weights);
  const first = sequence.stored.length - (end - begin);
  const window = sequence.keeping.policy.window ?? 0;
  if (name === "last") values.fill(0);
  for (let row = begin; row < end; row++) {
    const position = first + row - begin;
    if (name === "last" && row !== end - 1) continue;
    if (name === "window" && !(position < sequence.promptLength && position >= sequence.promptLength - window))
      continue;
    // "accumulated" is summed over heads, the others are means over heads
    const scale = (name === "accumulated" ? 1 : 1 / heads) / layers.length;
    for (const layer of layers) {
      const line = weights.get(layer)!;
      for (let key = 0; key < list.length; key++) values[key]! += line[row * columns + key]! * scale;
    }
  }
}

/** Hands the newest row's attention in the watched layers to the sequence's watcher, mean over heads. */
function watch({ sequence, end }: SequenceRows, { weights, columns }: StepWeights, heads: number): void {
  if (!sequence.onAttention) return;
  const positions = sequence.stored.lists[0]!.positions();
  const byLayer = new Map<number, Float32Array>();
  for (const [layer, line] of weights) {
    const row = line.subarray((end - 1) * columns, (end - 1) * columns + positions.length);
    byLayer.set(
      layer,
      row.map((weight) => weight / heads),
    );
  }
  sequence.onAttention({ position: sequence.stored.length - 1, positions, weights: byLayer });
}
