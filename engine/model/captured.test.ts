import { describe, expect, it } from "vitest";
import { CapturedTensor, JoinedTensor, putBack, takeOut, type TapRows } from "./captured.ts";
import type { Tap } from "./taps.ts";

const buffer = () => Float32Array.from({ length: 20 }, (_, i) => i);
const tensor = new CapturedTensor(
  [2, 3, 4],
  Float32Array.from({ length: 24 }, (_, i) => i),
);

/** All rows of a pass, over all of its keys. */
const all = (rows: number, width: number): TapRows => ({
  begin: 0,
  end: rows,
  columns: width,
  keys: Array.from({ length: width }, (_, key) => key),
  width,
});

describe("a captured tensor", () => {
  it("gives a number for all indices, and a row for fewer", () => {
    expect(tensor.at(1, 2, 3)).toBe(23);
    expect(tensor.at(-2, 1, -1)).toBe(7);
    expect([...tensor.row(1, 0)]).toEqual([12, 13, 14, 15]);
    expect(tensor.row(-1)).toHaveLength(12);
    expect(tensor.row()).toHaveLength(24);
  });

  it.each([
    ["too few", () => tensor.at(1, 2), "at() was given 2 indices; the tensor [2,3,4] has 3"],
    ["too many", () => tensor.row(1, 2, 3), "row() was given 3 indices; the tensor [2,3,4] has 3"],
    ["beyond the end", () => tensor.at(0, 3, 0), "index 1 is 3: the tensor [2,3,4] has 3 there"],
    ["before the beginning", () => tensor.row(-3), "index 0 is -3: the tensor [2,3,4] has 2 there"],
    ["half an index", () => tensor.row(0.5), "index 0 is 0.5"],
  ])("refuses %s", (_, read, message) => {
    expect(read).toThrow(message);
  });

  it("is joined along its rows", () => {
    const joined = new JoinedTensor(3, false);
    joined.add(tensor, false, 0);
    joined.add(new CapturedTensor([1, 3, 4], new Float32Array(12).fill(9)), false, 0);
    expect(joined.tensor.shape).toEqual([3, 3, 4]);
    expect([joined.tensor.at(1, 2, 3), joined.tensor.at(2, 0, 0)]).toEqual([23, 9]);
  });

  it("that is a pattern is joined along its second dimension, with columns for all positions", () => {
    const joined = new JoinedTensor(3, true);
    joined.add(
      new CapturedTensor(
        [2, 2, 4],
        Float32Array.from({ length: 16 }, (_, i) => i),
      ),
      true,
      -1,
    ); // 2 sources
    joined.add(new CapturedTensor([2, 1, 6], new Float32Array(12).fill(7)), true, -1);
    expect(joined.tensor.shape).toEqual([2, 3, 6]);
    expect([...joined.tensor.row(0, 0)]).toEqual([0, 1, -1, 2, 3, -1]);
    expect([...joined.tensor.row(1, 1)]).toEqual([12, 13, -1, 14, 15, -1]);
    expect([...joined.tensor.row(1, 2)]).toEqual([7, 7, 7, 7, 7, 7]);
  });
});

describe("a tap", () => {
  const place = {
    name: "t",
    after: 0,
    tensor: { label: "t", type: "f32", length: 0, role: "activations" } as Tap["tensor"],
  };

  it("that is a part of each row is taken out and put back where it was", () => {
    const tap: Tap = { ...place, offset: 4, width: 4, stride: 10, shape: [2, 2], isPattern: false, isDouble: false };
    const whole = buffer();
    const out = takeOut(tap, whole, all(2, 0));
    expect([out.shape, [...out.data]]).toEqual([
      [2, 2, 2],
      [4, 5, 6, 7, 14, 15, 16, 17],
    ]);
    out.data.fill(-1);
    putBack(tap, whole, all(2, 0), out.data);
    expect([...whole]).toEqual([...buffer()].map((value, i) => (i % 10 >= 4 && i % 10 < 8 ? -1 : value)));
  });

  it("that is a pattern is turned from rows, heads to heads, rows", () => {
    const tap: Tap = { ...place, offset: 0, width: 2, stride: 2, shape: [2], isPattern: true, isDouble: false };
    const whole = Float32Array.from({ length: 12 }, (_, i) => i); // [rows 3, heads 2, columns 2]
    const out = takeOut(tap, whole, all(3, 2));
    expect([out.shape, [...out.data]]).toEqual([
      [2, 3, 2],
      [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11],
    ]);
    const back = new Float32Array(12);
    putBack(tap, back, all(3, 2), out.data);
    expect([...back]).toEqual([...whole]);
  });

  it("that is a pattern of some rows over fewer keys has them at their positions", () => {
    const tap: Tap = {
      ...place,
      ...{ name: "blocks.0.attn.hook_attn_scores", offset: 0, width: 2, stride: 2, shape: [2] },
      ...{ isPattern: true, isDouble: false },
    };
    const whole = Float32Array.from({ length: 18 }, (_, i) => i); // [rows 3, heads 2, columns 3], of which the text has 2
    const rows = { begin: 1, end: 2, columns: 3, keys: [0, 3], width: 4 };
    const out = takeOut(tap, whole, rows);
    expect([out.shape, [...out.data]]).toEqual([
      [2, 1, 4],
      [6, -Infinity, -Infinity, 7, 9, -Infinity, -Infinity, 10],
    ]);
    putBack(tap, whole, rows, out.data.fill(-1));
    expect([...whole]).toEqual([0, 1, 2, 3, 4, 5, -1, -1, 8, -1, -1, 11, 12, 13, 14, 15, 16, 17]);
  });
});
