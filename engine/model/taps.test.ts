import { describe, expect, test } from "vitest";
import { FAMILY_CONFIGS, familyConfig, recordFamily } from "../../tests/support/family-models.ts";
import { tapMarker } from "./tap-marker.ts";
import { tapKinds, tapMatcher, tapNames } from "./taps.ts";

const always = () => true;
const never = () => false;

describe.each(Object.keys(FAMILY_CONFIGS))("%s", (name) => {
  test("records the taps that the table says it has, and no others", async () => {
    const { config, recording } = await recordFamily(name, {
      taps: tapMarker({ wants: always, edits: never }, familyConfig(name)),
    });
    const recorded = recording.taps.map((tap) => tap.name);
    expect(recorded.toSorted()).toEqual(tapNames(config).toSorted());
    expect(new Set(recorded).size).toBe(recorded.length);
    const places = recording.taps.map(({ after }) => after);
    expect(places.toSorted((a, b) => a - b)).toEqual(places);
  });
});

test("every tap of the table is some family's", () => {
  const found = new Set(Object.keys(FAMILY_CONFIGS).flatMap((name) => tapNames(familyConfig(name))));
  expect([...tapKinds(2).keys()].filter((name) => !found.has(name))).toEqual([]);
});

test("a tap that a family lacks is named with the model type, and so is one that no family has", () => {
  const neox = familyConfig("gpt_neox");
  expect(() => tapMatcher(["blocks.*.hook_resid_mid"], neox)).toThrow(
    new RangeError('a gpt_neox model has no tap "blocks.*.hook_resid_mid": tapNames(model.config) lists those it has'),
  );
  expect(() => tapMatcher(["hook_pos_embed"], familyConfig("llama"))).toThrow(
    /^a llama model has no tap "hook_pos_embed"/,
  );
  expect(() => tapMatcher(["blocks.0.hook_resid_mid"], familyConfig("gpt_neox in sequence"))).not.toThrow();
  expect(() => tapMatcher(["blocks.9.hook_resid_pre"], neox)).toThrow(/^no tap is called "blocks.9.hook_resid_pre"/);
});

test("a wildcard matches what there is", () => {
  const matches = tapMatcher(["blocks.*.hook_*"], familyConfig("gpt_neox"));
  expect(["pre", "mid", "post"].map((when) => matches(`blocks.1.hook_resid_${when}`))).toEqual([true, false, true]);
  expect(matches("blocks.1.attn.hook_q")).toBe(false);
});
