import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePolicy, policies, POLICY_FORMS, type CachePolicy, type KeyView } from "./index.ts";
import { pyramidSchedule } from "./pyramid-kv.ts";
import { keepLargest } from "./best-keys.ts";
import { averagePool } from "./snap-kv.ts";

interface Given extends Partial<Omit<KeyView, "positions">> {
  readonly positions?: ArrayLike<number>;
}

/** A view at the end of a prompt of as many tokens as there are keys, unless told otherwise. */
function viewOf(keys: number, given: Given = {}): KeyView {
  const positions = Uint32Array.from(given.positions ?? Array.from({ length: keys }, (_, key) => key));
  return {
    layer: 0,
    layers: 4,
    marks: new Uint32Array(keys),
    promptLength: keys,
    isPromptEnd: true,
    statistics: {},
    ...given,
    positions,
  };
}
const floats = (...numbers: number[]): Float32Array => Float32Array.from(numbers);
const keptBy = (policy: CachePolicy, view: KeyView): number[] | null => {
  const kept = policy.keep!(view);
  return kept && [...kept];
};

const eviction: readonly [name: string, make: (budget: number) => CachePolicy][] = [
  ["heavy hitters", (budget) => policies.heavyHitters({ budget })],
  ["last query", (budget) => policies.lastQuery({ budget })],
  ["key norm", (budget) => policies.keyNorm({ budget })],
  ["SnapKV", (budget) => policies.snapKv({ budget: budget + 1, window: 1 + (budget % 3 < budget ? budget % 3 : 0) })],
  ["PyramidKV", (budget) => policies.pyramidKv({ budget: budget + 1, window: 1, beta: 3 })],
];

describe.each(eviction)("%s", (_, make) => {
  const cases = fc
    .record({
      budget: fc.integer({ min: 1, max: 24 }),
      layer: fc.nat(4),
      // few values, so that there are ties
      scores: fc.array(fc.oneof(fc.nat(3), fc.float({ min: 0, max: 8, noNaN: true })), { minLength: 1, maxLength: 60 }),
      gaps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 60, maxLength: 60 }),
    })
    .map(({ budget, layer, scores, gaps }) => {
      const policy = make(budget);
      let position = -1;
      const positions = scores.map((_score, key) => (position += gaps[key]!));
      const statistics = Object.fromEntries(policy.statistics!.map((name) => [name, Float32Array.from(scores)]));
      const view = viewOf(scores.length, { layer, layers: 5, statistics, positions, promptLength: position + 1 });
      return { policy, view, own: policy.budget!(layer, 5, position + 1) };
    });

  it("never drops the newest key, keeps its budget exactly, in order, without a key twice", () => {
    fc.assert(
      fc.property(cases, ({ policy, view, own }) => {
        const keys = view.positions.length;
        const kept = keptBy(policy, view);
        if (keys <= own) {
          expect(kept).toBeNull();
          return;
        }
        expect(kept).toHaveLength(own);
        expect(kept!.at(-1)).toBe(keys - 1);
        for (let i = 1; i < own; i++) expect(kept![i]).toBeGreaterThan(kept![i - 1]!);
      }),
    );
  });

  it("leaves alone what it has left", () => {
    fc.assert(
      fc.property(cases, ({ policy, view }) => {
        const kept = keptBy(policy, view);
        if (!kept) return;
        const pick = (from: ArrayLike<number>) => kept.map((key) => from[key]!);
        const statistics = Object.fromEntries(
          Object.entries(view.statistics).map(([name, numbers]) => [name, Float32Array.from(pick(numbers))]),
        );
        const again = viewOf(kept.length, { ...view, statistics, positions: pick(view.positions) });
        expect(keptBy(policy, again)).toBeNull();
      }),
    );
  });

  it("gives one result whatever the chunks: it waits for the prompt's end", () => {
    const policy = make(2);
    const statistics = Object.fromEntries(policy.statistics!.map((name) => [name, new Float32Array(9)]));
    const view = viewOf(9, { statistics });
    expect(keptBy(policy, { ...view, isPromptEnd: false, promptLength: 20 })).toBeNull();
    expect(keptBy(policy, view)).not.toBeNull();
  });

  it("names what it lacks", () => {
    const policy = make(2);
    const [name] = policy.statistics!;
    expect(() => policy.keep!(viewOf(9))).toThrow(`"${name}" of 9 keys; it was given none`);
    expect(() => policy.keep!(viewOf(9, { statistics: { [name!]: floats(1, 2) } }))).toThrow(
      "of 9 keys; it was given 2",
    );
    const statistics = { [name!]: new Float32Array(9).fill(NaN) };
    expect(() => policy.keep!(viewOf(9, { statistics }))).toThrow("is NaN");
  });
});

describe("by hand", () => {
  it("full keeps everything and asks for nothing", () => {
    const policy = policies.full();
    expect(policy).toEqual({
      name: "full",
      rule: { keepWindow: 0, sinks: 0, segmented: false, keepRecent: 0, anchorSeesAnchors: true },
    });
  });

  it("windows and sinks state their budgets", () => {
    expect(policies.window({ budget: 7 }).budget!(null, 4, Infinity)).toBe(7);
    expect(policies.sinks({ budget: 11, first: 4 }).budget!(null, 4, Infinity)).toBe(11);
    expect(policies.sinks({ budget: 11 }).name).toBe("sinks:4,7");
    expect(policies.anchors().budget).toBeUndefined();
  });

  it("heavy hitters: the recent half and the most attended of the rest", () => {
    const statistics = { accumulated: floats(9, 1, 5, 7, 0, 0, 0) };
    expect(keptBy(policies.heavyHitters({ budget: 4 }), viewOf(7, { statistics }))).toEqual([0, 3, 5, 6]);
    expect(keptBy(policies.heavyHitters({ budget: 5 }), viewOf(7, { statistics }))).toEqual([0, 3, 4, 5, 6]);
    expect(keptBy(policies.heavyHitters({ budget: 1 }), viewOf(7, { statistics }))).toEqual([6]);
  });

  it("last query: the newest and those it attends to most; of equals the newer", () => {
    const statistics = { last: floats(0.3, 0.1, 0.2, 0.2, 0.1, 0.1) };
    expect(keptBy(policies.lastQuery({ budget: 3 }), viewOf(6, { statistics }))).toEqual([0, 3, 5]);
    expect(keptBy(policies.lastQuery({ budget: 5 }), viewOf(6, { statistics }))).toEqual([0, 2, 3, 4, 5]);
  });

  it("key norm: the newest and the smallest; the first layers whole if asked", () => {
    const statistics = { "key-norm": floats(3, 1, 2, 5, 4) };
    expect(keptBy(policies.keyNorm({ budget: 3 }), viewOf(5, { statistics }))).toEqual([1, 2, 4]);
    const whole = policies.keyNorm({ budget: 3, wholeLayers: 2 });
    expect([0, 1, 2].map((layer) => keptBy(whole, viewOf(5, { statistics, layer })))).toEqual([null, null, [1, 2, 4]]);
    expect([1, 2].map((layer) => whole.budget!(layer, 4, 9))).toEqual([Infinity, 3]);
  });

  it("acts after each chunk of a prompt if asked", () => {
    const view = viewOf(4, { statistics: { last: floats(4, 3, 2, 1) }, isPromptEnd: false, promptLength: 9 });
    expect(keptBy(policies.lastQuery({ budget: 2 }), view)).toBeNull();
    expect(keptBy(policies.lastQuery({ budget: 2, duringPrompt: true }), view)).toEqual([0, 3]);
    expect(keptBy(policies.lastQuery({ budget: 2 }), { ...view, promptLength: 4 })).toEqual([0, 3]);
  });

  it("SnapKV: the window, and of the rest the best after pooling, which takes neighbors along", () => {
    const statistics = { observed: floats(0, 0, 6, 0, 0, 0, 0, 5, 0, 9, 9) };
    const snap = (budget: number, pool: number) =>
      keptBy(policies.snapKv({ budget, window: 2, pool }), viewOf(11, { statistics }));
    expect(snap(5, 3)).toEqual([1, 2, 3, 9, 10]);
    expect(snap(4, 1)).toEqual([2, 7, 9, 10]);
    expect(
      keptBy(policies.snapKv({ budget: 5, window: 2 }), viewOf(11, { statistics, isPromptEnd: false })),
    ).toBeNull();
  });

  it("pools with zeros that count past the ends", () => {
    expect([...averagePool([5, 10, 0, 0, 20], 5)]).toEqual([3, 3, 7, 6, 4]);
    expect([...averagePool([3, 3], 3)]).toEqual([2, 2]);
    expect([...averagePool([1, 2], 1)]).toEqual([1, 2]);
  });

  it("keeps the largest", () => {
    expect([...keepLargest([3, 1, 2, 3, 0], 2, 4, 5)]).toEqual([0, 3, 4]);
    expect([...keepLargest([1, 1, 1, 1], 2, 4, 4)]).toEqual([2, 3]);
    expect([...keepLargest([1, 2], 5, 2, 2)]).toEqual([0, 1]);
    expect([...keepLargest([1, 2, 3], 0, 2, 3)]).toEqual([2]);
    expect([...keepLargest([-Infinity, 0, -Infinity], 2, 3, 3)]).toEqual([1, 2]);
  });
});

describe("PyramidKV's schedule", () => {
  it("falls linearly from 2 · base - base / beta to base / beta", () => {
    // base 100, beta 20: from 195 to 5, by 38 a layer
    expect([...pyramidSchedule({ budget: 132, window: 32, beta: 20, layers: 6, promptLength: 9999 })]).toEqual(
      [195, 157, 119, 81, 43, 5].map((share) => share + 32),
    );
  });

  it("gives the first layers no more than the prompt has, and the rest what they leave", () => {
    // the first layer takes 210 - 32 = 178; the mean stays 100, so the last keeps 22
    expect([...pyramidSchedule({ budget: 132, window: 32, beta: 20, layers: 3, promptLength: 210 })]).toEqual([
      210, 132, 54,
    ]);
  });

  it("treats all layers alike where the prompt is short, or there is one", () => {
    const uniform = { budget: 132, window: 32, beta: 20, layers: 3 };
    expect([...pyramidSchedule({ ...uniform, promptLength: 199 })]).toEqual([132, 132, 132]);
    expect([...pyramidSchedule({ ...uniform, layers: 1, promptLength: 999 })]).toEqual([132]);
    expect([...pyramidSchedule({ budget: 42, window: 32, beta: 20, layers: 2, promptLength: 40 })]).toEqual([42, 42]);
  });

  it("keeps layers · budget keys in all, never more in a deeper layer, never less than the window", () => {
    const shapes = fc.record({
      window: fc.integer({ min: 1, max: 40 }),
      base: fc.integer({ min: 1, max: 300 }),
      beta: fc.double({ min: 1, max: 40, noNaN: true }),
      layers: fc.integer({ min: 1, max: 40 }),
      promptLength: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 900 })),
    });
    fc.assert(
      fc.property(shapes, ({ base, ...rest }) => {
        const budget = base + rest.window;
        const schedule = [...pyramidSchedule({ budget, ...rest })];
        expect(schedule.reduce((sum, keys) => sum + keys, 0)).toBe(budget * rest.layers);
        for (let i = 1; i < schedule.length; i++) expect(schedule[i]).toBeLessThanOrEqual(schedule[i - 1]!);
        expect(schedule.at(-1)).toBeGreaterThanOrEqual(rest.window);
        if (rest.promptLength > budget) expect(schedule[0]).toBeLessThanOrEqual(rest.promptLength);
      }),
      { numRuns: 500 },
    );
  });

  it("is what the policy keeps, by layer", () => {
    const policy = policies.pyramidKv({ budget: 8, window: 2, beta: 3, pool: 1 });
    const statistics = { observed: Float32Array.from({ length: 40 }, (_, key) => key) };
    const kept = [0, 1, 2, 3].map((layer) => keptBy(policy, viewOf(40, { layer, statistics }))!.length);
    expect(kept).toEqual([12, 10, 6, 4]);
    expect(kept).toEqual([0, 1, 2, 3].map((layer) => policy.budget!(layer, 4, 40)));
  });
});

describe("impossible settings", () => {
  it.each<[string, () => unknown, string]>([
    [
      "a window of 0",
      () => policies.window({ budget: 0 }),
      "window: budget must be a whole number of at least 1; it is 0",
    ],
    ["half a key", () => policies.window({ budget: 1.5 }), "at least 1; it is 1.5"],
    [
      "sinks below 0",
      () => policies.sinks({ budget: 8, first: -1 }),
      "first must be a whole number of at least 0; it is -1",
    ],
    ["sinks and nothing else", () => policies.sinks({ budget: 4 }), "need a budget above 4; it is 4"],
    ["segments below 0", () => policies.anchors({ keepRecent: -2 }), "at least 0; it is -2"],
    ["half a sink", () => policies.anchors({ sinks: 0.5 }), "at least 0; it is 0.5"],
    [
      "a budget of 0",
      () => policies.heavyHitters({ budget: 0 }),
      "heavy-hitters: budget must be a whole number of at least 1; it is 0",
    ],
    ["a budget below 0", () => policies.lastQuery({ budget: -3 }), "at least 1; it is -3"],
    ["no number", () => policies.keyNorm({ budget: NaN }), "at least 1; it is NaN"],
    [
      "all of it the window",
      () => policies.snapKv({ budget: 32 }),
      "the window of 32 is always kept and needs a budget above 32; it is 32",
    ],
    ["an even pool", () => policies.snapKv({ budget: 99, pool: 4 }), "pool must be odd, such as 3 or 5; it is 4"],
    ["no pool", () => policies.pyramidKv({ budget: 99, pool: 0 }), "at least 1; it is 0"],
    [
      "a beta below 1",
      () => policies.pyramidKv({ budget: 99, beta: 0.5 }),
      "beta must be a number of at least 1; it is 0.5",
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });
});

describe("policies as text", () => {
  it.each([
    ["full", "full"],
    ["window:256", "window:256"],
    ["sinks:4,256", "sinks:4,256"],
    ["sinks:256", "sinks:4,256"],
    ["anchors", "anchors"],
    ["anchors:sinks=4,recent=1,sees=0", "anchors:sinks=4,recent=1,sees=0"],
    ["heavyHitters:64", "heavy-hitters:64"],
    [" last-query:64 ", "last-query:64"],
    ["snapKv:64", "snap-kv:64"],
    ["snap-kv:64,pool=3,window=8", "snap-kv:64,window=8,pool=3"],
    ["pyramid-kv:64,beta=2.5,pool=1", "pyramid-kv:64,beta=2.5,pool=1"],
    ["key-norm:64,whole=2", "key-norm:64,whole=2"],
  ])("%s", (text, name) => {
    const policy = parsePolicy(text);
    expect(policy.name).toBe(name);
    const again = parsePolicy(policy.name);
    expect([again.name, again.rule, again.observedQueries]).toEqual([policy.name, policy.rule, policy.observedQueries]);
    expect(again.budget?.(1, 4, 500)).toBe(policy.budget?.(1, 4, 500));
  });

  it("carry their numbers to the right place", () => {
    expect(parsePolicy("sinks:4,256").rule).toMatchObject({ sinks: 4, keepWindow: 256 });
    expect(parsePolicy("anchors:sinks=4,recent=1,sees=0").rule).toMatchObject({
      sinks: 4,
      keepRecent: 1,
      anchorSeesAnchors: false,
    });
    expect(parsePolicy("pyramid-kv:50,window=10,beta=4").budget!(0, 4, 999)).toBe(10 + 80 - 10);
  });

  it("has a form for each policy, which parses with its example numbers", () => {
    expect(POLICY_FORMS).toHaveLength(Object.keys(policies).length);
    for (const form of POLICY_FORMS) expect(() => parsePolicy(form.replaceAll(/[[\]]/g, ""))).not.toThrow();
  });

  it.each([
    ["h3o:5", `"h3o:5" is no cache policy: write one of full, window:256, sinks:[4,]256, anchors`],
    ["", `"" is no cache policy`],
    ["constructor:5", "is no cache policy"],
    ["window:1:2", "is no cache policy"],
    ["window", "it has 0 numbers without a name, wanted 1; write window:256"],
    ["window:1,2", "it has 2 numbers without a name, wanted 1"],
    ["sinks:1,2,3", "it has 3 numbers without a name, wanted 1 to 2"],
    ["window:", `"" is no number; write window:256`],
    ["window:many", `"many" is no number`],
    ["window:0x10", `"0x10" is no number`],
    ["window:0", "must be a whole number of at least 1; it is 0"],
    ["snap-kv:64,windows=3", `"windows" is not among its settings`],
    ["snap-kv:64,pool=3,pool=5", `"pool" is not among its settings, or there twice`],
    ["anchors:sees=2", "sees must be 0 or 1; it is 2"],
  ])("refuses %j", (text, message) => {
    expect(() => parsePolicy(text)).toThrow(RangeError);
    expect(() => parsePolicy(text)).toThrow(message);
  });
});
