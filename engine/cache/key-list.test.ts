import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyList } from "./key-list.ts";

function listOf(length: number): KeyList {
  const list = new KeyList();
  for (let key = 0; key < length; key++) list.push(100 + key, key, key * 2);
  list.statistic("last").set(Float32Array.from({ length }, (_, key) => key));
  return list;
}

describe("a list of keys", () => {
  it("keeps what is named, with its numbers, and returns the slots of the rest", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 80 }), fc.array(fc.boolean(), { maxLength: 80 }), (length, isKept) => {
        const list = listOf(length);
        const keep = Array.from({ length }, (_, key) => key).filter((key) => isKept[key]);
        const dropped = list.keep(keep);
        expect([...list.positions()]).toEqual(keep);
        expect([...list.marks()]).toEqual(keep.map((key) => key * 2));
        expect([...list.statistic("last")]).toEqual(keep);
        expect([...dropped, ...keep.map((key) => 100 + key)].sort((a, b) => a - b)).toEqual(
          Array.from({ length }, (_, key) => 100 + key),
        );
      }),
    );
  });

  it("marks what the device lacks from the first change on", () => {
    const list = listOf(6);
    list.changedFrom = 6;
    list.keep([0, 1, 3, 5]);
    expect(list.changedFrom).toBe(2);
    list.changedFrom = 4;
    list.renumber(1, 7);
    expect([list.changedFrom, list.slot(1)]).toEqual([1, 7]);
  });

  it("drops the newest keys, and their statistics with them", () => {
    const list = listOf(5);
    expect(list.drop(2)).toEqual([104, 103]);
    list.push(9, 3, 0);
    expect([...list.statistic("last")]).toEqual([0, 1, 2, 0]);
  });

  it("copies keys and statistics apart from their origin", () => {
    const list = listOf(3);
    const copy = list.copy();
    list.keep([2]);
    expect([...copy.positions()]).toEqual([0, 1, 2]);
    expect([...copy.statistic("last")]).toEqual([0, 1, 2]);
    expect(copy.capacity).toBe(0);
  });
});
