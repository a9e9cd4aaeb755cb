import { array, assert, double, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { select } from "./fastest.ts";

/** Samples around a median, as far from it as `noise` says. */
const around = (median: number, noise: number) => [-2, -1, 0, 1, 2].map((step) => median + (step / 2) * noise);

/** What is selected of a preset and its rival. */
const selected = (preset: number[], rival: number[]) =>
  select("preset", [
    { implementation: "preset", samples: preset },
    { implementation: "rival", samples: rival },
  ]).implementation;

describe("select", () => {
  it("takes what is faster by more than the spread", () => {
    const sampled = [
      { implementation: "preset", samples: around(10, 0.5) },
      { implementation: "rival", samples: around(8, 0.5) },
    ];
    expect(select("preset", sampled)).toEqual({
      implementation: "rival",
      seconds: 8,
      preset: "preset",
      presetSeconds: 10,
    });
  });

  it("keeps the preset where either's samples spread further than the gain", () => {
    const quiet = around(10, 0);
    const noisy = [6, 6, 9, 12, 12];
    expect(selected(quiet, noisy)).toBe("preset");
    expect(selected(noisy, around(6.5, 0))).toBe("preset");
    expect(selected(quiet, around(9, 0))).toBe("rival");
  });

  it("does not change for a gain that is hardly one", () => {
    const sampled = [
      { implementation: "preset", samples: around(10, 0) },
      { implementation: "rival", samples: around(9.8, 0) },
    ];
    expect(select("preset", sampled).implementation).toBe("preset");
  });

  it("lets no single disturbed run decide", () => {
    const sampled = [
      { implementation: "preset", samples: [10, 10, 10, 10, 10, 10, 1] },
      { implementation: "rival", samples: [8, 8, 8, 8, 8, 8, 90] },
    ];
    expect(select("preset", sampled).implementation).toBe("rival");
  });

  it("takes the fastest of several, whatever their order", () => {
    const sampled = [9, 7, 10, 8].map((median, i) => ({ implementation: `v${i}`, samples: around(median, 0.1) }));
    expect(select("v2", sampled).implementation).toBe("v1");
    expect(select("v2", sampled.toReversed()).implementation).toBe("v1");
  });

  it("never takes what is slower than the preset", () => {
    const samples = array(double({ min: 1e-9, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 });
    assert(
      property(array(samples, { minLength: 1, maxLength: 5 }), (all) => {
        const sampled = all.map((each, i) => ({ implementation: `v${i}`, samples: each }));
        const { seconds, presetSeconds } = select("v0", sampled);
        return seconds <= presetSeconds;
      }),
    );
  });

  it("wants samples, of the preset above all", () => {
    expect(() => select("preset", [{ implementation: "rival", samples: [1] }])).toThrow("preset is what the others");
    expect(() => select("preset", [{ implementation: "preset", samples: [] }])).toThrow("0 samples");
  });
});
