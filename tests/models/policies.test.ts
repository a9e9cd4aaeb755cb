// Policies that choose by statistics: what they are shown by the engine is what a forward pass with captured patterns says, and
// what stays alive is what they chose, whatever the chunks; policies per layer keep other keys in each.

import { loadModel, policies, type CachePolicy, type Device, type Model } from "kedge";
import type { AttentionStatistic, KeyView } from "kedge/policies";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const PROMPT = randomTokens(45, 60);
const T = PROMPT.length;

const POLICIES: readonly CachePolicy[] = [
  policies.heavyHitters({ budget: 20 }),
  policies.lastQuery({ budget: 20 }),
  policies.snapKv({ budget: 20, window: 6 }),
  policies.pyramidKv({ budget: 20, window: 6 }),
  policies.keyNorm({ budget: 20 }),
];

/** The statistics of one layer, from whole patterns [heads, T, T] and keys [T, kvHeads, headDim]. */
function naiveStatistics(
  pattern: Float32Array,
  keys: Float32Array,
  { heads, kvHeads, headDim }: { heads: number; kvHeads: number; headDim: number },
  window: number,
): Record<AttentionStatistic, Float32Array> {
  const at = (head: number, query: number, key: number) => pattern[(head * T + query) * T + key]!;
  const sums = (queries: readonly number[], scale: number) =>
    Float32Array.from({ length: T }, (_, key) => {
      let sum = 0;
      for (const query of queries) for (let head = 0; head < heads; head++) sum += at(head, query, key);
      return sum * scale;
    });
  const all = Array.from({ length: T }, (_, query) => query);
  const norms = Float32Array.from({ length: T }, (_, key) => {
    let total = 0;
    for (let head = 0; head < kvHeads; head++) {
      const k = keys.subarray((key * kvHeads + head) * headDim, (key * kvHeads + head + 1) * headDim);
      total += Math.hypot(...k);
    }
    return total / kvHeads;
  });
  return {
    accumulated: sums(all, 1),
    last: sums([T - 1], 1 / heads),
    observed: sums(all.slice(T - window), 1 / heads),
    "key-norm": norms,
  };
}

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  let model: Model;
  const opened: OpenedSteps[] = [];
  beforeAll(async () => {
    device = await testDevice(name);
    model = await loadModel(tinyFolder(), { device });
    for (const chunkRows of [64, 7]) opened.push(await openSteps(device, { chunkRows }));
  });
  afterAll(async () => {
    for (const { steps } of opened) steps.dispose();
    await model.dispose();
    await device.dispose();
  });

  test.each(POLICIES.map((policy) => [policy.name, policy] as const))("%s", async (_, policy) => {
    const { config } = model;
    const { captured } = await model.forward(PROMPT, {
      capture: ["blocks.*.attn.hook_pattern", "blocks.*.attn.hook_k"],
      logits: "none",
    });
    for (const { steps, decoder } of opened) {
      const shown: KeyView[] = [];
      const watched: CachePolicy = {
        ...policy,
        keep: (view) => {
          const statistics = Object.fromEntries(
            Object.entries(view.statistics).map(([key, values]) => [key, values.slice()]),
          );
          shown.push({ ...view, statistics });
          return policy.keep!(view);
        },
      };
      const sequence = steps.open({ policy: watched });
      await decoder.greedy([{ sequence, tokens: PROMPT }]);
      const atEnd = shown.filter(({ isPromptEnd }) => isPromptEnd);
      expect(atEnd.map(({ layer }) => layer)).toEqual([0, 1, 2]);
      for (const [layer, view] of atEnd.entries()) {
        const pattern = captured[`blocks.${layer}.attn.hook_pattern`]!.data;
        const keys = captured[`blocks.${layer}.attn.hook_k`]!.data;
        const naive = naiveStatistics(pattern, keys, config, policy.observedQueries ?? 0);
        expect(view.positions).toHaveLength(T);
        for (const statistic of policy.statistics!) {
          for (const [key, want] of naive[statistic].entries()) {
            expect(view.statistics[statistic]![key], `${statistic} of key ${key}`).toBeCloseTo(want, 3);
          }
        }
        const kept = policy.keep!({ ...view, statistics: naive });
        const alive = sequence.stored.lists[layer]!.positions();
        expect([...alive]).toEqual(kept ? [...kept] : Array.from({ length: T }, (_key, key) => key));
        expect(alive.length).toBeLessThanOrEqual(policy.budget!(layer, 3, T));
      }
      // And on: bounded at every step where the policy bounds it, every layer by its own list.
      for (let step = 0; step < 12; step++) await decoder.greedy([{ sequence, tokens: [step] }]);
      expect(sequence.length).toBe(T + 12);
      expect(steps.cacheBytes().live).toBe(
        sequence.stored.lists.reduce((sum, { length }) => sum + length, 0) * 2 * config.kvHeads * config.headDim * 4,
      );
      decoder.close(sequence);
      expect(steps.cacheBytes().live).toBe(0);
    }
  });

  test("full is bit for bit the plain engine", async () => {
    const { steps, decoder } = opened[0]!;
    const [plain, full] = [steps.open(), steps.open({ policy: policies.full() })];
    for (const tokens of [PROMPT, [1], [2], [3]]) {
      const [a] = await decoder.logits([{ sequence: plain, tokens }]);
      const [b] = await decoder.logits([{ sequence: full, tokens }]);
      expect(b).toEqual(a);
    }
    decoder.close(plain);
    decoder.close(full);
  });

  test("sequences with different policies go through one call, each as it would alone", async () => {
    const { steps, decoder } = opened[0]!;
    const kinds = [
      undefined,
      policies.window({ budget: 9 }),
      policies.heavyHitters({ budget: 16 }),
      policies.sinks({ budget: 10, first: 1 }),
    ];
    const alone: Float32Array[] = [];
    for (const policy of kinds) {
      const sequence = steps.open({ policy });
      await decoder.greedy([{ sequence, tokens: PROMPT }]);
      alone.push((await decoder.logits([{ sequence, tokens: [5] }]))[0]!);
      decoder.close(sequence);
    }
    const sequences = kinds.map((policy) => steps.open({ policy }));
    await decoder.greedy(sequences.map((sequence) => ({ sequence, tokens: PROMPT })));
    const together = await decoder.logits(sequences.map((sequence) => ({ sequence, tokens: [5] })));
    for (const [i, logits] of together.entries()) {
      for (const [token, value] of logits.entries()) expect(value).toBeCloseTo(alone[i]![token]!, 3);
    }
    for (const sequence of sequences) decoder.close(sequence);
  });

  test("a policy of one's own is a plain object; one that breaks the rules is refused", async () => {
    const { steps, decoder } = opened[0]!;
    const everySecond: CachePolicy = {
      name: "every-second",
      keep: ({ positions }) =>
        Uint32Array.from([...positions.keys()].filter((key) => key % 2 === 0 || key === positions.length - 1)),
    };
    const sequence = steps.open({ policy: everySecond });
    await decoder.greedy([{ sequence, tokens: PROMPT }]);
    expect(sequence.stored.lists[0]!.length).toBeLessThan(T);
    decoder.close(sequence);
    for (const [keep, message] of [
      [() => Uint32Array.of(0, 1), "drops the newest"],
      [
        ({ positions }: { positions: Uint32Array }) => Uint32Array.of(3, 2, positions.length - 1),
        "must name ascending indices",
      ],
    ] as const) {
      const bad = steps.open({ policy: { name: "bad", keep } });
      await expect(decoder.greedy([{ sequence: bad, tokens: PROMPT }])).rejects.toThrow(message);
      decoder.close(bad);
    }
  });
});
