import { describe, expect, it } from "vitest";
import { attentionDilution, shareOfKeys } from "./attention-share.ts";
import type { AttentionPattern } from "./pattern.ts";

// 2 heads, 2 rows at positions 2 and 3, 4 keys
const pattern: AttentionPattern = {
  shape: [2, 2, 4],
  data: [...[0.5, 0.25, 0.25, 0, 0.1, 0.2, 0.3, 0.4], ...[0.9, 0.1, 0, 0, 0, 0.5, 0.5, 0]],
};
const sink: AttentionPattern = { shape: [1, 2, 4], data: [1, 0, 0, 0, 1, 0, 0, 0] };

const expectRows = (shares: Float64Array, expected: readonly number[]): void => {
  expect(shares).toHaveLength(expected.length);
  for (const [row, share] of expected.entries()) expect(shares[row]).toBeCloseTo(share, 12);
};

describe("attention dilution", () => {
  it("is the prompt's share of each row, mean over the heads", () => {
    expectRows(attentionDilution([pattern], 2), [(0.75 + 1) / 2, (0.3 + 0.5) / 2]);
    expectRows(attentionDilution([pattern], 4), [1, 1]);
    expectRows(attentionDilution([pattern], 0), [0, 0]);
  });

  it("is taken at the last layer, or at those chosen", () => {
    expectRows(attentionDilution([pattern, sink], 2), [1, 1]);
    expectRows(attentionDilution([sink, pattern], 2), [0.875, 0.4]);
    expectRows(attentionDilution([sink, pattern], 2, { layers: [0, 1] }), [1.875 / 2, 0.7]);
  });

  it("goes by position where keys have been evicted", () => {
    expectRows(attentionDilution([pattern], 5, { keyPositions: [0, 4, 8, 9], rowPositions: [9, 10] }), [0.875, 0.4]);
    expectRows(attentionDilution([pattern], 4, { keyPositions: [0, 4, 8, 9], rowPositions: [9, 10] }), [0.7, 0.05]);
  });

  it("is a share even of rows that do not add up to 1", () => {
    expectRows(
      shareOfKeys({ shape: [1, 1, 3], data: [1, 2, 5] }, (key) => key === 1),
      [0.25],
    );
  });

  it("is not a number in rows without attention, and refuses what is not there", () => {
    expect(attentionDilution([{ shape: [1, 1, 2], data: [0, 0] }], 1)[0]).toBeNaN();
    expect(() => attentionDilution([pattern], 2, { layers: [1] })).toThrow("layer 1 is not among the 1 patterns");
    expect(() => attentionDilution([], 2)).toThrow("layer -1 is not among the 0 patterns");
    const short: AttentionPattern = { shape: [1, 1, 4], data: [1, 0, 0, 0] };
    expect(() => attentionDilution([pattern, short], 2, { layers: [0, 1] })).toThrow(
      "layer 1 has 1 rows and layer 0 has 2",
    );
  });
});
