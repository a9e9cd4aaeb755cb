import { describe, expect, it } from "vitest";
import { kernels } from "./index.ts";
import { kernelShapes } from "./shapes.ts";
import { compare, makeTrial, POISON, seededRandom, SLACK, type Trial } from "./trial.ts";
import { decodeWeights } from "./matrix/matrix.ts";
import { add } from "./add/add.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { linear } from "./linear/linear.ts";

const bound = { absolute: 1e-6, relative: 1e-6 };
/** The right outputs of a trial, as a device would give them back. */
function answers({ wanted }: Trial): Record<string, Float32Array | Uint32Array> {
  return Object.fromEntries(
    Object.entries(wanted).map(([name, values]) => [
      name,
      values instanceof Uint32Array ? values.slice() : Float32Array.from(values),
    ]),
  );
}

describe("a trial", () => {
  const trial = makeTrial(add, { params: { rows: 2, dim: 3 } }, seededRandom(1));

  it("gives the reference's outputs for its own inputs", () => {
    const { a, b } = trial.arrays;
    for (let i = 0; i < 6; i++) expect(trial.wanted["y"]![i]).toBe(a![i]! + b![i]!);
    expect(Array.from(trial.wanted["y"]!).slice(6)).toEqual(Array.from({ length: SLACK }, () => POISON));
  });

  it("accepts the right answer and names the first wrong number", () => {
    const got = answers(trial);
    expect(compare(trial, got, bound)).toBeNull();
    got["y"]![4]! += 1e-3;
    expect(compare(trial, got, bound)).toMatchObject({ buffer: "y", index: 4 });
    got["y"]![4] = Number.NaN;
    expect(compare(trial, got, bound)).toMatchObject({ buffer: "y", index: 4, got: Number.NaN });
  });

  it("finds a number written behind the end, however close to what was there", () => {
    const got = answers(trial);
    got["y"]![6] = Math.fround(POISON * (1 + 2 ** -22));
    expect(compare(trial, got, bound)).toMatchObject({ buffer: "y", index: 6, want: POISON });
  });

  it("finds an output that is missing or short", () => {
    expect(compare(trial, {}, bound)).toMatchObject({ buffer: "y", index: 0 });
    expect(compare(trial, { y: answers(trial)["y"]!.slice(0, 5) }, bound)).toMatchObject({ index: 5 });
  });

  it("holds what a kernel leaves alone in a buffer that it reads and writes", () => {
    const moving = makeTrial(cacheMove, { params: { rows: 1, kvHeads: 1, headDim: 2, slotCount: 3 } }, seededRandom(2));
    const [from, to] = [...moving.arrays["moves"]!];
    const other = 3 - from! - to!;
    const got = answers(moving);
    expect(compare(moving, got, bound)).toBeNull();
    got["cache"]![other * 4] = Math.fround(got["cache"]![other * 4]! * (1 + 2 ** -22));
    expect(compare(moving, got, bound)).toMatchObject({ buffer: "cache", index: other * 4 });
  });

  it.each(["f32", "f16", "bf16"] as const)("draws weights that %s holds, small ones among them", (format) => {
    const { matrices } = makeTrial(linear, linear.samples[2]!, seededRandom(3), { format });
    const weights = decodeWeights(format, matrices["weight"]!.bytes);
    const size = (want: number) => weights.filter((w) => Math.abs(w) > want).length / weights.length;
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(size(1)).toBeGreaterThan(0.25);
    expect(size(1)).toBeLessThan(0.35);
    expect(1 - size(2 ** -14)).toBeGreaterThan(0.03);
  });

  it("repeats itself", () => {
    const again = makeTrial(add, { params: { rows: 2, dim: 3 } }, seededRandom(1));
    expect(again.arrays).toEqual(trial.arrays);
    expect(makeTrial(add, { params: { rows: 2, dim: 3 } }, seededRandom(2)).arrays).not.toEqual(trial.arrays);
  });
});

const NOT_FINITE = [
  "attend-pattern -Infinity",
  "token-log-prob NaN",
  "token-log-prob -Infinity",
  "log-sum-exp NaN",
  "combine-rows NaN",
  "combine-rows -Infinity",
  "embed NaN",
];

describe("the test tables", () => {
  it("cover every kernel of the registry once", () => {
    expect(kernelShapes.map(({ kernel }) => kernel.name).sort()).toEqual(kernels.map(({ name }) => name).sort());
  });

  it.each(kernelShapes.map(({ kernel, shapes }) => [kernel.name, kernel, shapes] as const))(
    "%s: shapes fit their kernel and leave out only what is optional",
    (_name, kernel, shapes) => {
      for (const { params, absent = [] } of [...shapes, ...kernel.samples]) {
        expect(Object.keys(params).sort()).toEqual(Object.keys(kernel.params).sort());
        for (const name of absent) expect(kernel.buffers[name]).toContain("optional");
      }
      const optional = Object.keys(kernel.buffers).filter((name) => kernel.buffers[name]!.endsWith("optional"));
      for (const name of optional) {
        expect(shapes.some(({ absent }) => absent?.includes(name))).toBe(true);
        expect(shapes.some(({ absent }) => !absent?.includes(name))).toBe(true);
      }
    },
  );

  it("give finite answers but for hidden scores, rows without a largest number, and tokens that are none", () => {
    const found = new Set<string>();
    for (const { kernel, shapes } of kernelShapes) {
      for (const sample of shapes) {
        for (const values of Object.values(makeTrial(kernel, sample, seededRandom(5)).wanted)) {
          for (const value of values) if (!Number.isFinite(value)) found.add(`${kernel.name} ${value}`);
        }
      }
    }
    expect([...found].sort()).toEqual([...NOT_FINITE].sort());
  });
});
