import { describe, expect, it } from "vitest";
import { DENSE } from "../../kernels/index.ts";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { canDrop, resolveKeeping } from "./keeping.ts";
import { policies } from "./policies/index.ts";

const plain = parseConfig({ ...TINY });
const windowed = { ...plain, windows: [8, 8, 8] };
const mixed = { ...plain, windows: [0, 8, 0] };
const anchored = { ...plain, anchors: { tokenIds: [3], sinks: 1, anchorSeesAnchors: true, layerMap: new Map() } };
const layerWise = { ...anchored, anchors: { ...anchored.anchors, layerMap: new Map([[2, 0]]) } };

describe("resolveKeeping", () => {
  it("drops nothing of a model that hides nothing", () => {
    const keeping = resolveKeeping(plain);
    expect(keeping.rule).toEqual(DENSE);
    expect(canDrop(keeping)).toBe(false);
    expect(keeping.isAnchor(3, 0)).toBe(false);
  });

  it("drops by the window that all layers share, and by none where layers differ", () => {
    expect(resolveKeeping(windowed).dropRule.window).toBe(8);
    expect(canDrop(resolveKeeping(windowed))).toBe(true);
    expect(canDrop(resolveKeeping(mixed))).toBe(false);
  });

  it("takes the anchors of the model, unless a policy says that every key is visible", () => {
    expect(resolveKeeping(anchored)).toMatchObject({ rule: { segmented: 1, sinks: 1 }, keepsAnchors: false });
    expect(resolveKeeping(anchored).isAnchor(3, 0)).toBe(true);
    expect(resolveKeeping(anchored, policies.full()).isAnchor(3, 0)).toBe(false);
    expect(resolveKeeping(layerWise).keepsAnchors).toBe(true);
    expect(resolveKeeping(layerWise, policies.full()).keepsAnchors).toBe(false);
  });

  it("reads the attention of all layers for statistics, and of the watched ones otherwise", () => {
    expect(resolveKeeping(plain, policies.heavyHitters({ budget: 8 })).attentionLayers).toEqual([0, 1, 2]);
    expect(resolveKeeping(plain, undefined, [2, 0, 2]).attentionLayers).toEqual([0, 2]);
    expect(resolveKeeping(plain, policies.keyNorm({ budget: 8 }))).toMatchObject({
      attentionLayers: [],
      wantsKeyNorms: true,
    });
  });

  it("gives sequences the same key exactly if they can share a step", () => {
    const keys = [
      undefined,
      policies.window({ budget: 4 }),
      policies.heavyHitters({ budget: 8 }),
      policies.snapKv({ budget: 40 }),
    ].map((policy) => resolveKeeping(plain, policy).stepKey);
    expect(keys[0]).toBe(resolveKeeping(plain, policies.full()).stepKey);
    expect(keys[2]).toBe(resolveKeeping(plain, policies.lastQuery({ budget: 8 })).stepKey);
    expect(new Set(keys).size).toBe(3);
  });

  it("refuses what the model cannot do", () => {
    expect(() =>
      resolveKeeping(layerWise, { name: "own", isPerLayer: true, keep: () => null, rule: { segmented: true } }),
    ).toThrow('the policy "own" keeps other keys in each layer, but layers of this model read one another\'s anchors');
    expect(() => resolveKeeping(plain, undefined, [3])).toThrow("layer 3 cannot be watched: the model has 3 layers");
  });
});
