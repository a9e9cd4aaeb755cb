import { describe, expect, test } from "vitest";
import { rotateStore } from "./rotate-store.ts";

const params = {
  rows: 1,
  heads: 1,
  kvHeads: 1,
  headDim: 4,
  rotaryDims: 4,
  interleaved: 0,
  list: 0,
  slotCount: 2,
  epsilon: 0,
};
const qkv = Float64Array.of(1, 2, 3, 4, 10, 20, 30, 40, 5, 6, 7, 8);
/** a quarter turn for the first pair, none for the second */
const rotation = Float64Array.of(0, 1, 1, 0);

function run(more: Partial<typeof params> = {}, norms: { qNorm?: Float64Array; kNorm?: Float64Array } = {}) {
  const q = new Float64Array(4);
  const cache = new Float64Array(16).fill(-1);
  const slots = Uint32Array.of(1);
  rotateStore.reference({ qkv, rotation, slots, q, cache, ...norms }, { ...params, ...more });
  return { q: [...q], slot0: [...cache.slice(0, 8)], slot1: [...cache.slice(8)] };
}

describe("rotate-store", () => {
  test("turns (i, i + half) and stores keys, then values, in the row's slot", () => {
    expect(run()).toEqual({
      q: [-3, 2, 1, 4],
      slot0: Array(8).fill(-1),
      slot1: [-30, 20, 10, 40, 5, 6, 7, 8],
    });
  });
  test("turns neighbors when interleaved", () => {
    expect(run({ interleaved: 1 }).q).toEqual([-2, 1, 3, 4]);
  });
  test("leaves the dimensions behind rotaryDims alone", () => {
    expect(run({ rotaryDims: 2 }).q).toEqual([-2, 1, 3, 4]);
  });
  test("norms q and k per head before it turns them", () => {
    const ones = Float64Array.of(1, 1, 1, 1);
    const { q, slot1 } = run({}, { qNorm: ones, kNorm: Float64Array.of(2, 2, 2, 2) });
    const scale = 1 / Math.sqrt(7.5);
    for (const [i, want] of [-3, 2, 1, 4].entries()) expect(q[i]).toBeCloseTo(want * scale, 12);
    for (const [i, want] of [-6, 4, 2, 8].entries()) expect(slot1[i]).toBeCloseTo(want * scale, 12);
    expect(slot1.slice(4)).toEqual([5, 6, 7, 8]);
  });
});
