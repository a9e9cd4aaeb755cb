import { describe, expect, it, vi } from "vitest";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { resolveKeeping } from "../cache/keeping.ts";
import { policies } from "../cache/policies/index.ts";
import { isForeseeable, Pace } from "./run-ahead.ts";

const config = parseConfig({ ...TINY });

describe("the pace", () => {
  it("is one step until one was timed, then as many as fit the time and the tokens", async () => {
    const pace = new Pace({ tokens: 16, milliseconds: 50 });
    expect(pace.stepsOf(1)).toBe(1);
    let now = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
    const takes = (milliseconds: number, steps: number) =>
      pace.time(() => {
        now += milliseconds;
        return Promise.resolve(Array.from({ length: steps }, () => 0));
      });
    await takes(10, 1);
    expect([pace.stepsOf(1), pace.stepsOf(4), pace.stepsOf(5)]).toEqual([5, 4, 3]);
    await takes(10, 10);
    expect([pace.stepsOf(1), pace.stepsOf(32)]).toEqual([16, 1]);
    await takes(200, 1);
    expect(pace.stepsOf(1)).toBe(1);
    clock.mockRestore();
  });

  it("knows no time where none was set", () => {
    expect(new Pace({ tokens: 6, milliseconds: Infinity }).stepsOf(2)).toBe(3);
  });
});

describe("steps can be planned ahead", () => {
  it.each([
    ["the model's own way", undefined, true],
    ["all keys", policies.full(), true],
    ["a window", policies.window({ budget: 4 }), false],
    ["statistics", policies.heavyHitters({ budget: 8 }), false],
    ["norms", policies.keyNorm({ budget: 8 }), false],
  ])("with %s: %s", (_, policy, wanted) => {
    expect(isForeseeable(resolveKeeping(config, policy))).toBe(wanted);
  });

  it("unless attention is watched", () => {
    expect(isForeseeable(resolveKeeping(config, undefined, [0]))).toBe(false);
  });
});
