// Policies that choose keys, over whole texts whose prompt is known: score, forward and studyAttention say what generation with the policy
// says, and refuse where no prompt ends.

import { loadModel, policies, type CachePolicy, type Device, type Model } from "kedge";
import { studyAttention } from "kedge/attention";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { extentOf } from "../support/extent.ts";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const TEXT = randomTokens(36, 60);
const P = 28;
const SHARE = { share: 0.4 };

/** Policies that keep 11 of the prompt's 28 keys, and the same with a budget that holds all. */
const POLICIES: readonly (readonly [CachePolicy, CachePolicy])[] = [
  [policies.window({ budget: SHARE }), policies.window({ budget: 99 })],
  [policies.sinks({ budget: SHARE, first: 2 }), policies.sinks({ budget: 99, first: 2 })],
  [policies.heavyHitters({ budget: 11 }), policies.heavyHitters({ budget: 99 })],
  [
    policies.heavyHitters({ budget: 11, duringPrompt: true }),
    policies.heavyHitters({ budget: 99, duringPrompt: true }),
  ],
  [policies.lastQuery({ budget: 11 }), policies.lastQuery({ budget: 99 })],
  [policies.keyNorm({ budget: 11, wholeLayers: 0 }), policies.keyNorm({ budget: 99, wholeLayers: 0 })],
  [policies.snapKv({ budget: 11, window: 4 }), policies.snapKv({ budget: 99, window: 4 })],
  [policies.pyramidKv({ budget: 11, window: 4 }), policies.pyramidKv({ budget: 99, window: 4 })],
];

const logProbOf = (logits: Float32Array, token: number): number => {
  const most = Math.max(...logits);
  return logits[token]! - most - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0));
};

function expectClose(got: readonly number[], want: readonly number[], digits = 4): void {
  expect(got).toHaveLength(want.length);
  for (const [i, value] of got.entries()) expect(value, `number ${i}`).toBeCloseTo(want[i]!, digits);
}

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  let model: Model;
  let full: readonly number[];
  beforeAll(async () => {
    device = await testDevice(name);
    model = await loadModel(tinyFolder(), { device, chunkRows: 16 });
    full = (await model.score(TEXT, { promptLength: P })).logProbs;
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });

  test("without a policy the tokens behind the prompt have the log-probabilities that they have anyway", async () => {
    const whole = await model.score(TEXT);
    expect(whole.tokens).toBe(TEXT.length - 1);
    expectClose(full, whole.logProbs.slice(P - 1), 5);
    const cache = policies.sinks({ budget: 12, first: 2 }); // a rule: it acts wherever the prompt ends
    const [ruled, later] = [await model.score(TEXT, { cache }), await model.score(TEXT, { cache, promptLength: P })];
    expectClose(later.logProbs, ruled.logProbs.slice(P - 1), 5);
  });

  test.each(
    extentOf(POLICIES, name === "reference" ? 3 : 1, 2).map(([policy, large]) => [policy.name, policy, large] as const),
  )("%s scores as it generates, and as the full cache where its budget holds all", async (_, cache, large) => {
    const { logProbs } = await model.score(TEXT, { cache, promptLength: P });
    expect(logProbs).toHaveLength(TEXT.length - P);
    if (cache.keepsPrompt === true) expect(logProbs[0]).toBeCloseTo(full[0]!, 4); // the prompt's last row sees all
    expect(Math.max(...logProbs.map((value, i) => Math.abs(value - full[i]!)))).toBeGreaterThan(1e-2);
    expectClose((await model.score(TEXT, { cache: large, promptLength: P })).logProbs, full);

    if (cache.keepsPrompt === false) return; // what it drops within a prompt depends on the chunks
    const written = await model.complete(TEXT.slice(0, P), {
      cache,
      maxTokens: 8,
      logProbs: 0,
      ignoreEndTokens: true,
    });
    const text = [...TEXT.slice(0, P), ...written.tokens];
    const scored = await model.score(text, { cache, promptLength: P });
    expectClose(
      scored.logProbs,
      written.logProbs!.map(({ logProb }) => logProb),
    );
    const { logits } = await model.forward(text, { cache, promptLength: P });
    expectClose(
      text.slice(P).map((token, i) => logProbOf(logits!.row(P - 1 + i), token)),
      scored.logProbs,
    );
  });

  test("forward captures whole texts: rows see what the policy kept, at their positions", async () => {
    const cache = policies.lastQuery({ budget: 11 });
    const capture = ["blocks.*.attn.hook_pattern", "blocks.*.attn.hook_attn_scores", "blocks.1.hook_resid_post"];
    const begins: number[] = [];
    const hooks = { "blocks.2.ln1.hook_out": ({ begin }: { begin: number }) => void begins.push(begin) };
    const { captured, logits } = await model.forward(TEXT, { cache, promptLength: P, capture, hooks, logits: "last" });
    const [plain, last] = [
      await model.forward(TEXT, { capture }),
      await model.forward(TEXT, { cache, promptLength: P }),
    ];
    expect(begins).toEqual([0, ...TEXT.slice(P).map((_, i) => P + i)]);
    expect(logits!.shape).toEqual([1, 67]);
    expectClose([...logits!.data], [...last.logits!.row(-1)]);
    for (const [tap, { shape }] of Object.entries(plain.captured)) expect(captured[tap]!.shape, tap).toEqual(shape);
    for (let layer = 0; layer < 3; layer++) {
      const pattern = captured[`blocks.${layer}.attn.hook_pattern`]!;
      const scores = captured[`blocks.${layer}.attn.hook_attn_scores`]!;
      const before = plain.captured[`blocks.${layer}.attn.hook_pattern`]!;
      for (let row = 0; row < TEXT.length; row++) {
        const [weights, seen] = [pattern.row(1, row), scores.row(1, row)];
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
        expect([...weights].map((weight) => weight > 0)).toEqual([...seen].map((score) => score > -Infinity));
        if (row < P) expectClose([...weights], [...before.row(1, row)]);
        // the budget's keys, and the row's own
        expect(weights.filter((weight) => weight > 0)).toHaveLength(row < P ? row + 1 : 12);
        expect(weights[row]).toBeGreaterThan(0);
      }
    }
  });
});

describe("without a prompt", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(tinyFolder(), { device: "reference" });
  });
  afterAll(() => model.dispose());

  const snap = policies.snapKv({ budget: 11, window: 4 });
  const wanted =
    'the policy "snap-kv:11,window=4" chooses keys where the prompt ends: give promptLength, how many of the 36';
  test.each<[string, () => Promise<unknown>, string]>([
    ["score", () => model.score(TEXT, { cache: snap }), `score: ${wanted} tokens are the prompt (1 to 35)`],
    ["forward", () => model.forward(TEXT, { cache: snap }), `forward: ${wanted} tokens are the prompt (1 to 36)`],
    ["studyAttention", () => studyAttention(model, TEXT, { cache: snap }), `studyAttention: ${wanted}`],
    [
      "score with a policy of one's own",
      () => model.score(TEXT, { cache: { name: "own", keep: () => null } }),
      'the policy "own" chooses keys where the prompt ends',
    ],
    [
      "forward with one that acts within the prompt",
      () => model.forward(TEXT, { cache: policies.keyNorm({ budget: 11, duringPrompt: true }) }),
      'the policy "key-norm:11" chooses keys',
    ],
    [
      "a prompt that is all of the text",
      () => model.score(TEXT, { promptLength: 36 }),
      "score: promptLength is 36: it must be a whole number of 1 to 35, for a text of 36 tokens",
    ],
    [
      "a prompt beyond the text",
      () => model.forward(TEXT, { promptLength: 37, cache: snap }),
      "forward: promptLength is 37: it must be a whole number of 1 to 36, for a text of 36 tokens",
    ],
  ])("%s is refused", async (_, call, message) => {
    await expect(call()).rejects.toThrow(message);
    await expect(call()).rejects.toBeInstanceOf(RangeError);
  });

  test("a policy that acts within the text scores it, chunk by chunk", async () => {
    const cache = policies.heavyHitters({ budget: 11, duringPrompt: true });
    const short = await loadModel(tinyFolder(), { device: "reference", chunkRows: 8 });
    expect((await short.score(TEXT, { cache })).perplexity).not.toBe((await short.score(TEXT)).perplexity);
    await short.dispose();
  });

  test("studyAttention counts the rows of its sparsity, and the keys that the policy left", async () => {
    const cache = policies.lastQuery({ budget: 11 });
    const study = await studyAttention(model, TEXT, { cache, promptLength: P, minKeys: 20 });
    const none = await studyAttention(model, TEXT, { cache: policies.sinks({ budget: 11, first: 2 }) });
    const { layers } = await studyAttention(model, TEXT);
    expect([study.minKeys, none.minKeys]).toEqual([20, 32]);
    for (const { sparsity, studiedRows, mostKeys } of study.layers) {
      expect([studiedRows, mostKeys]).toEqual([P - 19, P]); // behind the prompt a row sees 12
      expect(sparsity.gini!.count).toBe((P - 19) * model.config.heads);
    }
    for (const { sparsity, studiedRows, mostKeys } of none.layers) {
      expect([sparsity.gini, studiedRows, mostKeys]).toEqual([null, 0, 11]);
    }
    expect(layers.map(({ studiedRows, mostKeys }) => [studiedRows, mostKeys])).toEqual([5, 5, 5].map((n) => [n, 36]));
    expect(study.dilution[0]).toBeCloseTo(1, 5);
    expect(study.dilution.at(-1)).toBeLessThan(1);
    await expect(studyAttention(model, TEXT, { minKeys: -1 })).rejects.toThrow("minKeys");
  });
});
