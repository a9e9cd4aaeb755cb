import { describe, expect, it } from "vitest";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { Rotation } from "./rotation.ts";

const rotaryOf = (changes: Readonly<Record<string, unknown>>) => parseConfig({ ...TINY, ...changes }).rotary!;

describe("a table of rotations", () => {
  it("holds cosine and sine of position times frequency, a pair of numbers each", () => {
    const table = new Rotation(rotaryOf({ head_dim: 4 })).table(Uint32Array.of(0, 7));
    // theta 10,000 over 2 pairs: frequencies 1 and 0.01
    const wanted = [1, 0, 1, 0, Math.cos(7), Math.sin(7), Math.cos(0.07), Math.sin(0.07)];
    expect(table).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries()) expect(table[i]).toBeCloseTo(value, 6);
  });

  it("of dynamic scaling is the same for a row whether it comes alone or within a prompt", () => {
    const changes = { rope_scaling: { rope_type: "dynamic", factor: 2 }, max_position_embeddings: 16 };
    const rotation = new Rotation(rotaryOf(changes));
    const whole = rotation.table(Uint32Array.from({ length: 24 }, (_, position) => position));
    const dims = TINY.head_dim;
    for (const position of [3, 15, 16, 23]) {
      const alone = new Rotation(rotaryOf(changes)).table(Uint32Array.of(position));
      expect([...alone]).toEqual([...whole.subarray(position * dims, (position + 1) * dims)]);
    }
    expect([...rotation.table(Uint32Array.of(23))]).not.toEqual([
      ...new Rotation(rotaryOf({})).table(Uint32Array.of(23)),
    ]);
  });
});
