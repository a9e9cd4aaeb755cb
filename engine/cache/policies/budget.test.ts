// Budgets as shares, and policies that make no sense.

import { describe, expect, it } from "vitest";
import { checkPolicy } from "./check-policy.ts";
import { parsePolicy, policies, type Budget, type CachePolicy, type KeyView } from "./index.ts";

/** At the end of a prompt of as many tokens as there are keys. */
function viewOf(keys: number, more: Partial<KeyView> = {}): KeyView {
  const statistic = Float32Array.from({ length: keys }, (_, key) => key % 7);
  return {
    layer: 0,
    layers: 2,
    positions: Uint32Array.from({ length: keys }, (_, key) => key),
    marks: new Uint32Array(keys),
    promptLength: keys,
    isPromptEnd: true,
    statistics: { accumulated: statistic, last: statistic, observed: statistic, "key-norm": statistic },
    ...more,
  };
}

const makers: readonly [string, (budget: Budget) => CachePolicy][] = [
  ["window", (budget) => policies.window({ budget })],
  ["sinks", (budget) => policies.sinks({ budget, first: 2 })],
  ["heavy-hitters", (budget) => policies.heavyHitters({ budget })],
  ["last-query", (budget) => policies.lastQuery({ budget })],
  ["key-norm", (budget) => policies.keyNorm({ budget })],
  ["snap-kv", (budget) => policies.snapKv({ budget, window: 3 })],
  ["pyramid-kv", (budget) => policies.pyramidKv({ budget, window: 3, beta: 1 })],
];

describe.each(makers)("%s", (name, make) => {
  it("keeps a share of the prompt's keys, once the prompt has been read", () => {
    const policy = make({ share: 0.25 });
    expect(policy.keep!(viewOf(40))).toHaveLength(10);
    expect(policy.keep!(viewOf(43))).toHaveLength(10);
    expect(policy.keep!(viewOf(30, { promptLength: 40, isPromptEnd: false }))).toBeNull();
    expect(policy.budget!(0, 2, 40)).toBe(10);
    expect(policy.budget!(0, 2, Infinity)).toBe(Infinity);
    expect(policy.name).toMatch(new RegExp(`^${name}:(2,)?25%`));
  });

  it("keeps at least what it always keeps of a short prompt", () => {
    const least = make({ share: 0.01 }).keep!(viewOf(40))!.length;
    expect(least).toBe({ sinks: 3, "snap-kv": 4, "pyramid-kv": 4 }[name] ?? 1);
  });

  it("is the policy that its name parses to", () => {
    for (const share of [0.25, 0.07, 0.125]) {
      const policy = make({ share });
      const again = parsePolicy(policy.name);
      expect(again.name).toBe(policy.name);
      expect(again.budget!(1, 2, 1000)).toBe(policy.budget!(1, 2, 1000));
    }
  });

  it.each([
    [0, "budget must be a whole number of at least 1; it is 0"],
    [0.25, "budget must be a whole number of at least 1, or { share: 0.25 } of the prompt's keys; it is 0.25"],
    [1.5, "at least 1; it is 1.5"],
    [NaN, "at least 1; it is NaN"],
    [{ share: 1 }, "the share of its budget must be above 0 and below 1; it is 1"],
    [{ share: 0 }, "above 0 and below 1; it is 0"],
    [{ share: NaN }, "above 0 and below 1; it is NaN"],
    ["25%" as unknown as Budget, "at least 1; it is 25%"],
  ])("refuses %j", (budget, message) => {
    expect(() => make(budget)).toThrow(RangeError);
    expect(() => make(budget)).toThrow(`${name}: `);
    expect(() => make(budget)).toThrow(message);
  });
});

describe("shares by hand", () => {
  it("a window keeps the newest, sinks the first too, and again after every token", () => {
    const newest = policies.window({ budget: { share: 0.2 } });
    expect([...newest.keep!(viewOf(15))!]).toEqual([12, 13, 14]);
    const later = viewOf(4, { promptLength: 15, isPromptEnd: false, positions: Uint32Array.of(12, 13, 14, 15) });
    expect([...newest.keep!(later)!]).toEqual([1, 2, 3]);
    expect([...policies.sinks({ budget: { share: 0.2 }, first: 1 }).keep!(viewOf(15))!]).toEqual([0, 13, 14]);
  });

  it("sinks count the first keys within the budget; in text the second number counts the newest alone", () => {
    expect(policies.sinks({ budget: 260 }).name).toBe("sinks:4,256");
    expect(policies.sinks({ budget: 260 })).toEqual({
      ...parsePolicy("sinks:256"),
      budget: expect.any(Function) as never,
    });
    expect(parsePolicy("sinks:4,256").budget!(null, 2, 9)).toBe(260);
    expect(parsePolicy("sinks:25%").name).toBe("sinks:4,25%");
    expect(() => parsePolicy("sinks:25%,8")).toThrow("the first keys are a number; they are 25%");
    expect(() => parsePolicy("snap-kv:64,window=25%")).toThrow('"window=25%" is no number');
  });

  it("a call of another shape is refused with the right one", () => {
    const window = policies.window as unknown as (budget: number) => CachePolicy;
    expect(() => window(256)).toThrow("window: its options are 256; give an object of budget");
    expect(() => policies.snapKv({ budget: 64, windows: 3 } as never)).toThrow('did you mean "window"?');
    expect(() => policies.lastQuery({ budget: 64, wholeLayers: 3 } as never)).toThrow('no option "wholeLayers"');
  });
});

describe("policies that make no sense", () => {
  it.each<[string, unknown, string]>([
    ["text", "full", `cache is "full": it must be a policy, such as policies.full() or parsePolicy("full")`],
    ["no name", { rule: {} }, "needs a name"],
    ["nothing to say", { name: "own" }, `the policy "own" has neither rule nor keep`],
    [
      "a misspelled member",
      { name: "own", rule: {}, kep: () => null },
      'there is no option "kep": did you mean "keep"?',
    ],
    [
      "a window",
      { name: "own", rule: { window: 8 } },
      "its rule has a window, which is the model's own: use keepWindow",
    ],
    ["numbers for claims", { name: "own", rule: { segmented: 1 } }, "segmented must be true or false; it is 1"],
    [
      "half a key",
      { name: "own", rule: { keepWindow: 1.5 } },
      "keepWindow must be a whole number of at least 0; it is 1.5",
    ],
    ["a keep that is none", { name: "own", keep: 4 }, "its keep is 4; it must be a function"],
    [
      "an unknown statistic",
      { name: "own", keep: () => null, statistics: ["mean"] },
      'asks for the statistic "mean"; there are accumulated',
    ],
    ["statistics for nobody", { name: "own", rule: {}, statistics: ["last"] }, "has no keep to read them"],
    [
      "observed queries without their statistic",
      { name: "own", keep: () => null, observedQueries: 4 },
      "it needs both",
    ],
    [
      "keepsPrompt that is no truth",
      { name: "own", keep: () => null, keepsPrompt: 1 },
      "keepsPrompt must be true or false",
    ],
    ["keepsPrompt for nobody", { name: "own", rule: {}, keepsPrompt: true }, "beside a keep"],
    ["the statistic without its queries", { name: "own", keep: () => null, statistics: ["observed"] }, "it needs both"],
    [
      "no observed query",
      { name: "own", keep: () => null, statistics: ["observed"], observedQueries: 0 },
      "at least 1; it is 0",
    ],
  ])("%s", (_, policy, message) => {
    expect(() => checkPolicy(policy as CachePolicy)).toThrow(RangeError);
    expect(() => checkPolicy(policy as CachePolicy)).toThrow(message);
  });

  it("all of this package's make sense", () => {
    for (const [, make] of makers) for (const budget of [8, { share: 0.5 }]) checkPolicy(make(budget));
    for (const policy of [policies.full(), policies.anchors()]) checkPolicy(policy);
  });
});
