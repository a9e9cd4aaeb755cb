// The study of attention on whole models: what it says of patterns that can be computed by hand from the captured ones.

import { loadModel, policies, type Device, type Model } from "kedge";
import { studyAttention } from "kedge/attention";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withLineAnchors } from "../../engine/model/line-anchors.ts";
import { testDevice } from "../support/devices.ts";

describe("the study of attention", () => {
  let device: Device;
  let dense: Model;
  let anchored: Model;
  const text =
    "/**\n * Keep the even numbers and then add all the numbers together.\n */\nfunction total(nums) {\n  return nums\n}\n".repeat(
      2,
    );
  beforeAll(async () => {
    device = await testDevice("wasm");
    dense = await loadModel("models/kedge-js-5m", { device });
    anchored = await loadModel("models/kedge-js-5m-anchor", { device });
  });
  afterAll(async () => {
    await dense.dispose();
    await anchored.dispose();
    await device.dispose();
  });

  test("dilution is the prompt's share of the captured pattern", async () => {
    const tokens = dense.tokenize(text);
    const promptLength = tokens.length - 8;
    const study = await studyAttention(dense, tokens, { promptLength });
    const tap = "blocks.5.attn.hook_pattern";
    const { captured } = await dense.forward(tokens, { capture: [tap] });
    const [heads, rows, keys] = captured[tap]!.shape as [number, number, number];
    expect(study.dilution).toHaveLength(9);
    for (const [i, share] of study.dilution.entries()) {
      const row = promptLength - 1 + i;
      let want = 0;
      for (let head = 0; head < heads; head++) {
        const line = captured[tap]!.data.subarray((head * rows + row) * keys, (head * rows + row + 1) * keys);
        want += line.subarray(0, promptLength).reduce((sum, weight) => sum + weight, 0) / heads;
      }
      expect(share).toBeCloseTo(want, 5);
    }
    expect(study.dilution[0]).toBeCloseTo(1, 5);
    expect(study.layers.map(({ layer }) => layer)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { sparsity, classes } of study.layers) {
      expect(sparsity.gini!.mean).toBeGreaterThan(0);
      expect(sparsity.gini!.mean).toBeLessThan(1);
      const mass = Object.values(classes!).reduce((sum, share) => sum + share.mass, 0);
      expect(mass).toBeCloseTo(1, 5);
    }
  });

  test("of layers with a second source of anchors counts both, and hidden keys not at all", async () => {
    const tokens = anchored.tokenize(text);
    const study = await studyAttention(anchored, tokens);
    for (const { classes } of study.layers) {
      const mass = Object.values(classes!).reduce((sum, share) => sum + share.mass, 0);
      const positions = Object.values(classes!).reduce((sum, share) => sum + share.positions, 0);
      expect(mass).toBeCloseTo(1, 5);
      expect(positions).toBeCloseTo(1, 5);
    }
    // Line breaks are anchors: of what is left to see they are a larger part than of all tokens.
    const whole = await studyAttention(anchored, tokens, { cache: policies.full() });
    const breaks = (layer: number, of: typeof study) => of.layers[layer]!.classes!["line-break"].positions;
    expect(breaks(0, study)).toBeGreaterThan(breaks(0, whole));
  });

  test("a model that names no anchors takes its line breaks, and says what to expect", async () => {
    const notes: string[] = [];
    const policy = withLineAnchors(policies.anchors(), dense, (note) => void notes.push(note));
    expect(notes.join()).toContain("was not trained with anchor attention");
    const [lineBreak] = dense.tokenize("\n");
    expect(policy!.isAnchor!(lineBreak!, 3)).toBe(true);
    expect(policy!.isAnchor!(lineBreak! + 60, 3)).toBe(false);
    expect(withLineAnchors(policies.anchors(), anchored)!.isAnchor).toBeUndefined();
    await expect(studyAttention(dense, [1, 2], { promptLength: 3 })).rejects.toThrow(
      "studyAttention: promptLength is 3: it must be a whole number of 1 to 2",
    );
  });
});
