import { expect, test } from "vitest";
import { embed } from "./embed.ts";

const params = {
  rows: 3,
  dim: 2,
  vocabSize: 3,
  tableBegin: 0,
  tableEnd: 3,
  contextLength: 2,
  vectorCount: 1,
  scale: 2,
};
const buffers = {
  tokens: Uint32Array.of(2, 3, 0),
  positions: Uint32Array.of(0, 1, 1),
  table: Float64Array.of(1, 2, 3, 4, 5, 6),
  positionTable: Float64Array.of(0.25, 0.5, 10, 20),
  vectors: Float64Array.of(100, 200),
};

test("scales the table's row, and adds the position's; numbers past the vocabulary name vectors", () => {
  const y = new Float64Array(6);
  embed.reference({ ...buffers, y }, params);
  expect([...y]).toEqual([10.25, 12.5, 210, 420, 12, 24]);
});

test("of a part of the table touches only its own tokens' rows", () => {
  const y = new Float64Array(6).fill(-1);
  embed.reference({ ...buffers, table: buffers.table.slice(4), y }, { ...params, tableBegin: 2 });
  expect([...y]).toEqual([10.25, 12.5, -1, -1, -1, -1]);
});

test("of a token beyond the vectors is NaN", () => {
  const y = new Float64Array(6);
  embed.reference({ ...buffers, tokens: Uint32Array.of(4, 3, 0), y }, params);
  expect([...y]).toEqual([NaN, NaN, 210, 420, 12, 24]);
});
