import { describe, expect, it } from "vitest";
import { parseHeader } from "./safetensors-header.ts";
import { ShardTable } from "./shard-table.ts";
import type { Entry } from "./tensor-info.ts";
import { TensorTable } from "./tensor-table.ts";
import { finish } from "./work.ts";

const count = 5000;
// Neither first nor last first, with shapes of every rank up to 3.
const order = Array.from({ length: count }, (_, i) => (i * 7919) % count);
const shape = (i: number): string => ["[]", "[1]", "[1,1]", "[1,1,1]"][i % 4]!;
const tensor = (i: number, begin = 4 * i): string =>
  `"t${i}":{"dtype":"${i % 2 ? "F32" : "I32"}","shape":${shape(i)},"data_offsets":[${begin},${begin + 4}]}`;
const header = `{"__metadata__":{"a":"b"},${order.map((i) => tensor(i)).join()}}`;
const read = (text: string, entries?: TensorTable) =>
  finish(parseHeader("m", text, 1000, 1000 + 4 * count, entries ?? new Map<string, Entry>()));

describe("a table of many tensors", () => {
  const table = read(header, new TensorTable()).tensors;
  const map = read(header).tensors;

  it("is the Map of them", () => {
    expect(table.size).toBe(count);
    expect([...table].slice(0, 1000)).toEqual([...map].slice(0, 1000));
    expect([...table.keys()]).toEqual([...map.keys()]);
    expect([...table.values()].at(-1)).toEqual(map.get(`t${order.at(-1)!}`));
    for (const name of ["t0", "t4999", "t77"])
      expect([table.get(name), table.has(name)]).toEqual([map.get(name), true]);
    expect([table.get("t5000"), table.has("")]).toEqual([undefined, false]);
  });

  it("finds holes, overlaps and names that are there twice", () => {
    for (const [text, problem] of [
      [header.replace(tensor(78), tensor(78, 4 * 78 + 2)), 'tensor "t78" has offsets 314..318'],
      [header.replace(tensor(78), tensor(78, 4 * 78 - 2)), 'tensor "t78" has offsets 310..314'],
      [header.replace(tensor(78), tensor(77)), 'tensor "t77" is there twice'],
    ] as const) {
      expect(() => read(text, new TensorTable())).toThrow(problem);
      expect(() => read(text)).toThrow(problem);
    }
  });

  it("pauses while it sorts", () => {
    const work = parseHeader("m", header, 1000, 1000 + 4 * count, new TensorTable());
    let pauses = 0;
    while (!work.next().done) pauses++;
    expect(pauses).toBeGreaterThan((3 * count) / 2048);
  });

  it("of several files says which file each is in", () => {
    const other = read(header.replaceAll('"t', '"u'), new TensorTable()).tensors;
    const shards = new ShardTable(
      new Map([
        ["a", { tensors: table }],
        ["b", { tensors: other }],
      ]),
    );
    for (const info of table.values()) shards.set(info.name, { ...info, file: "a" });
    for (const info of other.values()) shards.set(info.name, { ...info, file: "b" });
    expect([shards.size, shards.has("u5"), shards.has("v5")]).toEqual([2 * count, true, false]);
    expect([shards.get("t5"), shards.get("u5"), shards.get("v5")]).toEqual([
      { ...table.get("t5"), file: "a" },
      { ...other.get("u5"), file: "b" },
      undefined,
    ]);
    expect([...shards].at(-1)).toEqual([`u${order.at(-1)!}`, shards.get(`u${order.at(-1)!}`)]);
    expect([[...shards.keys()][count], [...shards.values()][count]?.file]).toEqual(["u0", "b"]);
  });
});
