import { expect, test } from "vitest";
import { openWeights } from "../../loaders/index.ts";
import { folderOf } from "../../tests/support/random-model.ts";
import { CheckpointReader } from "./checkpoint-reader.ts";

/** A checkpoint of one tensor whose element i is i. */
async function counting(shape: readonly [number, number]) {
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i);
  return openWeights(folderOf({}, new Map([["m", { shape, values }]])));
}

test("a transposed matrix of more bytes than are read at a time comes in its rows, in the order that is asked for", async () => {
  const [rows, columns] = [1037, 1501];
  const checkpoint = await counting([columns, rows]);
  const runs = [
    { begin: 400, count: rows - 400 },
    { begin: 0, count: 400 },
  ];
  const reader = new CheckpointReader(checkpoint, "file", false);
  for (const order of [undefined, runs]) {
    const source = reader.matrix("m", [{ name: "m", rows, columns, isTransposed: true, runs: order }]);
    expect(source).toMatchObject({ rows, columns, format: "f32" });
    for (const row of [0, 15, 16, 636, 637, rows - 1]) {
      const bytes = await source.read(row, row + 1);
      const stored = order ? (row + 400) % rows : row;
      const want = Float32Array.from({ length: columns }, (_, column) => column * rows + stored);
      expect(new Float32Array(bytes.slice().buffer)).toEqual(want);
    }
  }
  await checkpoint.close();
});

test("vectors of several tensors come one after the other, or in runs", async () => {
  const tensors = new Map([
    ["a", { shape: [2], values: Float32Array.of(1, 2) }],
    ["b", { shape: [3], values: Float32Array.of(3, 4, 5) }],
  ]);
  const checkpoint = await openWeights(folderOf({}, tensors));
  const reader = new CheckpointReader(checkpoint, "file", false);
  const both = [
    { name: "a", shape: [2] },
    { name: "b", shape: [3] },
  ];
  expect([...(await reader.vector({ tensors: both, length: 5 }).read())]).toEqual([1, 2, 3, 4, 5]);
  const runs = [
    { begin: 3, count: 2 },
    { begin: 0, count: 3 },
  ];
  expect([...(await reader.vector({ tensors: both, length: 5, runs }).read())]).toEqual([4, 5, 1, 2, 3]);
  expect([...reader.used]).toEqual(["a", "b"]);
  await checkpoint.close();
});
