import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Vectors of tokens: y[row] = scale · table[token] (+ positionTable[position]).
 * tokens, positions [rows]; table [tableEnd - tableBegin, dim], rows tableBegin..tableEnd of the whole table;
 * positionTable [contextLength, dim]; vectors [vectorCount, dim]; y [rows, dim]. A token number from vocabSize on stands for
 * vectors[token - vocabSize]; one beyond them, such as `argmax` gives where there is no token, for a row of NaN. Rows of y whose token is not in this piece of the table stay as they are.
 */
export const embed = defineKernel({
  name: "embed",
  buffers: {
    tokens: "read u32",
    positions: "read u32",
    table: "matrix",
    positionTable: "read optional",
    vectors: "read optional",
    y: "write",
  },
  // The table's rows tableBegin..tableEnd are at hand; rows of other tokens are left untouched.
  // Rows of `vectors` belong to the piece that begins at 0.
  params: {
    rows: "u32",
    dim: "u32",
    vocabSize: "u32",
    tableBegin: "u32",
    tableEnd: "u32",
    contextLength: "u32",
    vectorCount: "u32",
    scale: "f32",
  },
  sizes: ({ rows, dim, tableBegin, tableEnd, contextLength, vectorCount }) => ({
    tokens: rows,
    positions: rows,
    table: (tableEnd - tableBegin) * dim,
    positionTable: contextLength * dim,
    vectors: vectorCount * dim,
    y: rows * dim,
  }),
  matrices: ({ dim, tableBegin, tableEnd }) => ({ table: [tableEnd - tableBegin, dim] }),
  piece: (params, begin, end) => ({ ...params, tableBegin: begin, tableEnd: end }),
  reference({ tokens, positions, table, positionTable, vectors, y }, params) {
    const { rows, dim, vocabSize, tableBegin, tableEnd, vectorCount, scale } = params;
    for (let row = 0; row < rows; row++) {
      const token = tokens[row]!;
      const isVector = token >= vocabSize;
      if (isVector ? tableBegin > 0 : token < tableBegin || token >= tableEnd) continue;
      if (token >= vocabSize + vectorCount) {
        y.fill(Number.NaN, row * dim, (row + 1) * dim);
        continue;
      }
      const source = isVector ? vectors! : table;
      const from = (isVector ? token - vocabSize : token - tableBegin) * dim;
      for (let i = 0; i < dim; i++) {
        const position = positionTable ? positionTable[positions[row]! * dim + i]! : 0;
        y[row * dim + i] = scale * source[from + i]! + position;
      }
    }
  },
  bound: () => ({ absolute: 1e-6, relative: 1e-6 }),
  inputs: ({ rows, vocabSize, contextLength, vectorCount }, random) => ({
    // the fourth row's token is none
    tokens: Uint32Array.from({ length: rows }, (_, row) =>
      row === 3 ? vocabSize + vectorCount : random.integer(vocabSize + vectorCount),
    ),
    positions: Uint32Array.from({ length: rows }, () => random.integer(Math.max(1, contextLength))),
  }),
  samples: [
    {
      params: {
        rows: 3,
        dim: 24,
        vocabSize: 11,
        tableBegin: 0,
        tableEnd: 11,
        contextLength: 7,
        vectorCount: 2,
        scale: 1.5,
      },
    },
    {
      params: { rows: 5, dim: 8, vocabSize: 9, tableBegin: 0, tableEnd: 9, contextLength: 0, vectorCount: 0, scale: 1 },
      absent: ["positionTable", "vectors"],
    },
  ],
  implementations: [...wasm],
});
