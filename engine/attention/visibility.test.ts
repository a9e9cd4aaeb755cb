import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DENSE, isVisible, type VisibilityParams } from "../../kernels/index.ts";
import { fileSource, openSafetensors } from "../../loaders/index.ts";
import { goldenPath } from "../../tests/support/goldens.ts";
import { policies, type CachePolicy } from "../cache/policies/index.ts";
import { segmentAfter } from "./anchors.ts";
import { resolveRule, survivors, type VisibilityRule } from "./visibility.ts";

/** Marks of a sequence whose anchors are given. */
function marksFrom(isAnchor: ArrayLike<boolean | number>): Uint32Array {
  let segment = 0;
  return Uint32Array.from(isAnchor, (is) => {
    const mark = 2 * segment + Number(is);
    segment += Number(is);
    return mark;
  });
}

/** What each query sees when a sequence goes through in chunks and what cannot be seen any more is dropped after each. */
function simulate(rule: VisibilityParams, marks: Uint32Array, chunk = 1) {
  let alive: number[] = [];
  const seen: number[][] = [];
  const left: number[][] = [];
  for (let begin = 0; begin < marks.length; begin += chunk) {
    const end = Math.min(begin + chunk, marks.length);
    for (let position = begin; position < end; position++) alive.push(position);
    const keys = { positions: alive, marks: alive.map((key) => marks[key]!) };
    for (let position = begin; position < end; position++) {
      seen.push(alive.filter((key) => isVisible(rule, position, marks[position]!, key, marks[key]!)));
    }
    const next = { position: end, segment: segmentAfter(marks[end - 1]!) };
    alive = Array.from(survivors(rule, keys, next), (key) => alive[key]!);
    left.push([...alive]);
  }
  return { seen, left };
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
const rules: fc.Arbitrary<VisibilityParams> = fc.record({
  window: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 })),
  keepWindow: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 })),
  sinks: fc.integer({ min: 0, max: 4 }),
  segmented: fc.constantFrom(0, 1),
  keepRecent: fc.integer({ min: 0, max: 3 }),
  anchorSeesAnchors: fc.constantFrom(0, 1),
});
const sequences = fc
  .array(fc.constantFrom(true, false, false, false), { minLength: 1, maxLength: 40 })
  .map((isAnchor) => marksFrom(isAnchor));

describe("dropping what no later query can see", () => {
  it("leaves each query exactly the keys of the mask, token by token and in chunks of any length", () => {
    fc.assert(
      fc.property(rules, sequences, fc.integer({ min: 1, max: 9 }), (rule, marks, chunk) => {
        const { seen } = simulate(rule, marks, chunk);
        for (const [i, keys] of seen.entries()) {
          expect(keys).toEqual(range(i + 1).filter((j) => isVisible(rule, i, marks[i]!, j, marks[j]!)));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("leaves exactly the keys that some continuation can see", () => {
    fc.assert(
      fc.property(rules, sequences, (rule, marks) => {
        const { left } = simulate(rule, marks);
        // all continuations of 1..2 segments, as far as the rules reach, that begin with an anchor or not
        const futures = [marksFrom([0, 0, 1, 0]), marksFrom([1, 0, 1, 0])];
        for (const [i, keys] of left.entries()) {
          const segment = segmentAfter(marks[i]!);
          const canBeSeen = (j: number) =>
            futures.some((future) =>
              future.some((mark, k) => isVisible(rule, i + 1 + k, mark + 2 * segment, j, marks[j]!)),
            );
          expect(keys).toEqual(range(i + 1).filter(canBeSeen));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps a segment until its anchor has been processed, then the anchor alone", () => {
    // a b | c d e | f     with | an anchor
    const marks = marksFrom([0, 0, 1, 0, 0, 0, 1, 0]);
    const left = (asked: VisibilityRule) => simulate(resolveRule(asked, null), marks).left;
    const plain = left({ segmented: true, sinks: 0 });
    expect(plain).toEqual([[0], [0, 1], [2], [2, 3], [2, 3, 4], [2, 3, 4, 5], [2, 6], [2, 6, 7]]);
    expect(left({ segmented: true, sinks: 0, anchorSeesAnchors: false })).toEqual(plain);
    expect(left({ segmented: true, sinks: 1 }).at(-1)).toEqual([0, 2, 6, 7]);
    expect(left({ segmented: true, sinks: 0, keepRecent: 1 }).at(-1)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(simulate(resolveRule({ segmented: true, sinks: 0, anchorSeesAnchors: false }), marks).seen[6]).toEqual([
      3, 4, 5, 6,
    ]);
    expect(left({ keepWindow: 3, sinks: 1 }).at(-1)).toEqual([0, 6, 7]);
  });

  it("keeps anchors that another layer reads, whatever the windows say", () => {
    const marks = marksFrom([1, 0, 1, 0, 0, 0]);
    const keys = { positions: range(6), marks };
    const rule = { ...DENSE, window: 2 };
    expect([...survivors(rule, keys, { position: 6, segment: 2 })]).toEqual([5]);
    expect([...survivors(rule, keys, { position: 6, segment: 2, keepsAnchors: true })]).toEqual([0, 2, 5]);
  });
});

describe("the rule of a model and a policy", () => {
  const settings = { sinks: 2, anchorSeesAnchors: false };
  it("is the model's own where the policy says nothing", () => {
    expect(resolveRule()).toEqual(DENSE);
    expect(resolveRule({}, settings)).toEqual({ ...DENSE, segmented: 1, sinks: 2, anchorSeesAnchors: 0 });
    expect(resolveRule(policies.anchors().rule, settings)).toEqual(resolveRule({}, settings));
  });
  it("is the policy's where it speaks", () => {
    expect(resolveRule(policies.full().rule, settings)).toEqual(DENSE);
    expect(resolveRule(policies.window({ budget: 9 }).rule, settings)).toEqual({ ...DENSE, keepWindow: 9 });
    expect(resolveRule(policies.sinks({ budget: 12, first: 3 }).rule, settings)).toEqual({
      ...DENSE,
      sinks: 3,
      keepWindow: 9,
    });
    expect(resolveRule(policies.anchors({ sinks: 0, keepRecent: 2 }).rule, settings)).toEqual({
      ...DENSE,
      segmented: 1,
      keepRecent: 2,
      anchorSeesAnchors: 0,
    });
  });
  it("has the defaults of anchors in a model without settings", () => {
    expect(resolveRule(policies.anchors().rule)).toEqual({ ...DENSE, segmented: 1, sinks: 1 });
  });
});

describe("the masks of the golden file", () => {
  it.each<[name: string, policy: CachePolicy]>([
    ["dense", policies.full()],
    ["taa", policies.anchors({ sinks: 1 })],
    ["taa-sinks0", policies.anchors({ sinks: 0 })],
    ["taa-anllm", policies.anchors({ anchorSeesAnchors: false })],
    ["taa-recent2", policies.anchors({ keepRecent: 2 })],
    ["taa-sinks4-recent1", policies.anchors({ sinks: 4, keepRecent: 1 })],
    ["window8", policies.window({ budget: 8 })],
    ["sinks2-window6", policies.sinks({ budget: 8, first: 2 })],
  ])("%s", async (name, policy) => {
    const source = await fileSource(goldenPath("anchors/golden.safetensors"));
    const file = await openSafetensors(source);
    const read = async (tensor: string) => {
      const { shape, values } = await file.readTensor(tensor);
      return { shape, values: Array.from(values as Int32Array, Number) };
    };
    const config = { ids: new Set([10, 11]), sinks: 1, anchorSeesAnchors: true };
    const { shape, values: tokens } = await read("input_ids");
    const [batch, length] = [shape[0]!, shape[1]!];
    const { values: visible } = await read(`${name}.visible`);
    const { values: keysAtEnd } = await read(`${name}.keys_at_end`);
    await file.close();
    expect([visible.length, keysAtEnd.length]).toEqual([batch * length * length, batch]);
    for (let sequence = 0; sequence < batch; sequence++) {
      const own = tokens.slice(sequence * length, (sequence + 1) * length);
      const marks = marksFrom(own.map((token) => config.ids.has(token)));
      for (const chunk of [1, 7, length]) {
        const { seen } = simulate(resolveRule(policy.rule, config), marks, chunk);
        for (const [i, keys] of seen.entries()) {
          const row = visible.slice((sequence * length + i) * length, (sequence * length + i + 1) * length);
          expect(keys, `query ${i}, chunks of ${chunk}`).toEqual(range(length).filter((j) => row[j]! !== 0));
        }
        expect(seen.at(-1)!.length).toBe(keysAtEnd[sequence]);
      }
    }
  });
});
