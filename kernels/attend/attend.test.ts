import { describe, expect, test } from "vitest";
import { seededRandom } from "../trial.ts";
import { attend } from "./attend.ts";
import type { AttentionParams } from "./params.ts";
import { attentionInputs } from "./samples.ts";
import { DENSE, isVisible } from "./visible.ts";

const base: AttentionParams = {
  rows: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 2,
  list: 0,
  slotCount: 4,
  entryCount: 3,
  scale: 1,
  softcap: 0,
  ...DENSE,
};
const words = (...numbers: number[]) => Uint32Array.from(numbers);

function attendTo(params: AttentionParams, given: Record<string, Float64Array | Uint32Array>): Float64Array {
  const z = new Float64Array(params.rows * params.heads * params.headDim);
  attend.reference({ sourceCache: undefined, headBiases: undefined, ...given, z }, params);
  return z;
}

/** One key after the other in slots 0, 1, 2; keys (k, 0), values (v, 10 v). */
function cacheOf(keys: readonly number[], values: readonly number[]): Float64Array {
  return Float64Array.from(keys.flatMap((k, i) => [k, 0, values[i]!, 10 * values[i]!]).concat(Array(16).fill(0))).slice(
    0,
    16,
  );
}

describe("attend", () => {
  test("to one key gives its value", () => {
    const z = attendTo(base, {
      q: Float64Array.of(1, 2, -3, 4),
      cache: cacheOf([5], [7]),
      ranges: words(0, 1, 0, 0),
      entries: words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    });
    expect([...z]).toEqual([7, 70, 7, 70]);
  });

  test("weighs two keys by the softmax of their scores", () => {
    const z = attendTo(base, {
      q: Float64Array.of(1, 0, 0, 0),
      cache: cacheOf([Math.log(3), 0], [1, 5]),
      ranges: words(0, 2, 1, 0),
      entries: words(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0),
    });
    expect(z[0]).toBeCloseTo(0.75 * 1 + 0.25 * 5, 12);
    expect(z[2]).toBeCloseTo(3, 12);
  });

  test("sees nothing: zeros", () => {
    const z = attendTo(base, {
      q: Float64Array.of(1, 0, 0, 0),
      cache: cacheOf([1], [1]),
      ranges: words(0, 0, 0, 0),
      entries: words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    });
    expect([...z]).toEqual([0, 0, 0, 0]);
  });

  test("adds an entry's bias to its score, scaled per head", () => {
    const bias = new Uint32Array(Float32Array.of(Math.log(3)).buffer)[0]!;
    const z = attendTo(base, {
      q: Float64Array.of(0, 0, 0, 0),
      cache: cacheOf([1, 1], [1, 5]),
      ranges: words(0, 2, 1, 0),
      entries: words(0, 0, 0, bias, 1, 1, 0, 0, 0, 0, 0, 0),
      headBiases: Float64Array.of(0, 1, 0, 0),
    });
    expect(z[0]).toBeCloseTo(0.75 * 1 + 0.25 * 5, 7);
    expect(z[2]).toBeCloseTo(3, 12);
  });

  test("reads anchors a second time from another layer", () => {
    const z = attendTo(base, {
      q: Float64Array.of(0, 0, 0, 0),
      cache: cacheOf([0, 0], [1, 3]),
      sourceCache: cacheOf([0, 0], [100, 200]),
      headBiases: Float64Array.of(0, 1, Math.log(2), 1),
      ranges: words(0, 2, 1, 2),
      entries: words(0, 0, 1, 0, 1, 1, 2, 0, 0, 0, 0, 0),
    });
    expect(z[0]).toBeCloseTo((1 + 3 + 100) / 3, 12);
    expect(z[2]).toBeCloseTo((1 + 3 + 2 * 100) / 4, 12);
  });

  test("with every token an anchor is dense attention", () => {
    const params = { ...base, rows: 4, heads: 2, kvHeads: 2, headDim: 3, slotCount: 9, entryCount: 8 };
    const random = seededRandom(3);
    const { entries, ranges } = attentionInputs(params, random);
    for (let entry = 0; entry < params.entryCount; entry++) entries[entry * 4 + 2] = entry * 2 + 1;
    const numbers = (length: number) => Float64Array.from({ length }, () => random.normal());
    const q = numbers(4 * 6);
    const cache = numbers(9 * 12);
    const dense = attendTo(params, { q, cache, entries, ranges });
    const segmented = attendTo({ ...params, segmented: 1, sinks: 1 }, { q, cache, entries, ranges });
    expect(segmented).toEqual(dense);
  });
});

describe("visibility", () => {
  const rule = { ...DENSE, segmented: 1, sinks: 1 };
  // positions 0..5, anchors at 2 and 4: segments 0 0 0 1 1 2
  const mark = [0, 0, 1, 2, 3, 4];
  const seen = (query: number, with_: Partial<typeof DENSE> = {}) =>
    mark.map((_, key) => Number(isVisible({ ...rule, ...with_ }, query, mark[query]!, key, mark[key]!))).join("");

  test("of a finished segment leaves its anchor and the sinks", () => {
    expect(seen(2)).toBe("111000");
    expect(seen(3)).toBe("101100");
    expect(seen(5)).toBe("101011");
  });
  test("keeps recent segments whole", () => {
    expect(seen(5, { keepRecent: 1 })).toBe("101111");
    expect(seen(5, { keepRecent: 2 })).toBe("111111");
  });
  test("may keep anchors from anchors", () => {
    expect(seen(4, { anchorSeesAnchors: 0 })).toBe("100110");
    expect(seen(5, { anchorSeesAnchors: 0 })).toBe("101011");
  });
  test("is bounded by a window, the model's or the policy's", () => {
    expect(seen(5, { segmented: 0, window: 2 })).toBe("000011");
    expect(seen(5, { segmented: 0, keepWindow: 2 })).toBe("100011");
    expect(seen(5, { window: 2 })).toBe("000011");
  });
});
