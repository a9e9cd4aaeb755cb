// What a step's statistics do to a sequence's keys, on a store without a model: the numbers "read back" are made by the test.

import { afterEach, describe, expect, it } from "vitest";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { applyPolicy, type StepStatistics } from "./eviction.ts";
import { resolveKeeping } from "./keeping.ts";
import type { CachePolicy, ChooserPolicy, KeyView } from "./policies/policy.ts";
import { CachedSequence, type NewestAttention } from "./sequence.ts";
import { CacheStore } from "./store.ts";

const config = parseConfig({ ...TINY, num_hidden_layers: 2 });
const { layers, heads } = config;
const stores: CacheStore[] = [];

function open(policy: CachePolicy, watched: readonly number[] = []) {
  const keeping = resolveKeeping(config, policy, watched);
  const { isPerLayer } = keeping;
  const store = new CacheStore(new ReferenceDevice(), { ...config, isPerLayer, maxSlots: 100 });
  stores.push(store);
  const sequence = new CachedSequence(store.open(), keeping);
  /** Appends tokens as one step and applies the policy. */
  const step = (tokens: number, read: Partial<StepStatistics> = {}) => {
    store.append([{ sequence: sequence.stored, anchors: Array.from({ length: tokens }, () => false) }]);
    const columns = Math.max(...sequence.stored.lists.map(({ length }) => length));
    const statistics = { attention: new Map(), keyNorms: new Map(), columns, ...read };
    applyPolicy(store, { sequence, begin: 0, end: tokens }, statistics, { layers, heads });
  };
  return { store, sequence, step };
}

/** Attention summed over heads: 1, 2, 3, … per head for the keys of a row. */
const sums = (columns: number) => Float32Array.from({ length: columns }, (_, key) => heads * (key + 1));
/** The same numbers for both layers. */
const row = (...numbers: number[]) => new Map([0, 1].map((layer) => [layer, Float32Array.from(numbers)]));

/** A policy per layer that keeps the newest `1 + layer` keys. */
const byDepth: ChooserPolicy = {
  name: "by depth",
  isPerLayer: true,
  keep: ({ layer, positions }) =>
    Uint32Array.from({ length: Math.min(positions.length, 1 + layer!) }, (_, i) => i).map(
      (i) => positions.length - Math.min(positions.length, 1 + layer!) + i,
    ),
};

afterEach(() => {
  for (const store of stores.splice(0)) store.dispose();
});

describe("a watcher", () => {
  it("is told each layer's own keys where a policy keeps other keys in each layer", () => {
    const { sequence, step } = open({ ...byDepth, statistics: ["last"] as const }, [1]);
    let told: NewestAttention | undefined;
    sequence.onAttention = (attention) => void (told = attention);
    step(1, { attention: new Map([0, 1].map((layer) => [layer, sums(1)])), columns: 1 });
    step(1, { attention: new Map([0, 1].map((layer) => [layer, sums(2)])), columns: 2 });
    step(1, { attention: new Map([0, 1].map((layer) => [layer, sums(3)])), columns: 3 });
    expect(told!.position).toBe(2);
    // Before the policy acts, layer 0 holds its 1 key of the step before and the newest, layer 1 its 2 keys and the newest.
    expect([...told!.layers.get(0)!.positions]).toEqual([1, 2]);
    expect([...told!.layers.get(1)!.positions]).toEqual([0, 1, 2]);
    expect([...told!.layers.get(1)!.weights]).toEqual([1, 2, 3]);
    expect(sequence.stored.lists.map(({ length }) => length)).toEqual([1, 2]);
  });
});

describe("statistics", () => {
  const shown: KeyView[] = [];
  const recording = (
    statistics: NonNullable<ChooserPolicy["statistics"]>,
    rest: Partial<ChooserPolicy> = {},
  ): ChooserPolicy => ({
    name: "recording",
    statistics,
    keep: (view) => {
      const copies = Object.entries(view.statistics).map(([name, values]) => [name, [...values]]);
      shown.push({ ...view, statistics: Object.fromEntries(copies) as KeyView["statistics"] });
      return null;
    },
    ...rest,
  });
  const last = () => shown.at(-1)!.statistics;

  it("are means of the layers where one list serves all", () => {
    const { step } = open(recording(["accumulated", "last", "key-norm"]));
    // rows [2] x columns [2], sums over heads
    const attention = new Map([
      [0, Float32Array.of(4, 0, 2, 2)],
      [1, Float32Array.of(4, 0, 0, 4)],
    ]);
    const keyNorms = new Map([
      [0, Float32Array.of(1, 2)],
      [1, Float32Array.of(3, 4)],
    ]);
    step(2, { attention, keyNorms, columns: 2 });
    expect(last()).toEqual({ accumulated: [5, 3], last: [0.25, 0.75], "key-norm": [2, 3] });
    step(1, {
      attention: new Map([0, 1].map((layer) => [layer, Float32Array.of(1, 1, 2)])),
      keyNorms: new Map([0, 1].map((layer) => [layer, Float32Array.of(9)])),
      columns: 3,
    });
    expect(last()).toEqual({ accumulated: [6, 4, 2], last: [0.25, 0.25, 0.5], "key-norm": [2, 3, 9] });
  });

  it("count, as observed, the last queries of the prompt only", () => {
    const { sequence, step } = open(recording(["observed"], { observedQueries: 2 }));
    sequence.promptLength = 3;
    step(1, { attention: row(heads), columns: 1 });
    expect(last()).toEqual({ observed: [0] });
    step(2, { attention: row(heads, heads, 0, heads, heads, heads), columns: 3 });
    expect(last()).toEqual({ observed: [2, 2, 1] });
    expect(shown.at(-1)!.isPromptEnd).toBe(true);
    step(1, { attention: row(heads, heads, heads, heads), columns: 4 });
    expect(last()).toEqual({ observed: [2, 2, 1, 0] });
  });
});

describe("a policy", () => {
  it.each([
    ["keys out of order", Uint32Array.of(1, 0, 2), 'policy "own" keeps key 0 after 1 of 3'],
    ["a key that is not there", Uint32Array.of(0, 3), 'policy "own" keeps key 3 after 0 of 3'],
    ["all but the newest", Uint32Array.of(0, 1), 'policy "own" drops the newest of 3 keys'],
  ])("is refused that names %s", (_, kept, message) => {
    const { step } = open({ name: "own", keep: () => kept });
    expect(() => step(3)).toThrow(message);
  });

  it("gives back the slots of the keys it drops", () => {
    const { store, sequence, step } = open({
      name: "newest",
      keep: ({ positions }) => Uint32Array.of(positions.length - 1),
    });
    step(5);
    expect([...sequence.stored.lists[0]!.positions()]).toEqual([4]);
    expect(store.pools[0]!.live).toBe(1);
  });

  it("is refused where it keeps more than its budget: at the prompt's end, by layer, and by rule", () => {
    const own = open({ name: "own", budget: () => 3, keep: () => null });
    own.sequence.promptLength = 5;
    own.step(4); // inside the prompt it need not act
    expect(() => own.step(1)).toThrow('policy "own" keeps 5 keys, but its budget is 3');

    const deep = open({
      ...byDepth,
      budget: (layer, of, promptLength) => (layer === 1 ? of + promptLength - 6 : 9),
    });
    deep.sequence.promptLength = 5;
    expect(() => deep.step(5)).toThrow('policy "by depth" keeps 2 keys of layer 1, but its budget is 1');

    const rule = open({ name: "ruled", rule: { keepWindow: 4 }, budget: () => 2 });
    expect(() => rule.step(5)).toThrow('policy "ruled" keeps 3 keys, but its budget is 2');
  });

  it("may keep more later where it drops nothing then, as SnapKV does", () => {
    const { sequence, step } = open({
      name: "once",
      budget: () => 2,
      keep: ({ isPromptEnd, positions }) =>
        isPromptEnd ? Uint32Array.of(positions.length - 2, positions.length - 1) : null,
    });
    sequence.promptLength = 4;
    step(4);
    step(1);
    expect([...sequence.stored.lists[0]!.positions()]).toEqual([2, 3, 4]);
  });

  it("by rule drops what no later query sees", () => {
    const { sequence, step } = open({ name: "window", rule: { keepWindow: 2 } });
    step(5);
    // The next query, at 5, sees positions 4 and 5.
    expect([...sequence.stored.lists[0]!.positions()]).toEqual([4]);
  });
});
