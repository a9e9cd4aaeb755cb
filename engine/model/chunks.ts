// Cuts feeds into chunks: the rows of one step each, at most `chunkRows`, in order, of sequences that can share a step.

import type { CachedSequence } from "../cache/sequence.ts";

/** Tokens that a step appends to a sequence. */
export interface Part {
  readonly sequence: CachedSequence;
  readonly tokens: readonly number[];
}

/** Rows of one step. */
export interface Chunk {
  readonly parts: Part[];
  /** row within the chunk, and the index of the feed that ends there */
  readonly outputs: { row: number; feed: number }[];
}

/** Cuts parts into chunks; `outputs` of a chunk are the last rows of the parts that end in it. */
export function cutIntoChunks(parts: readonly Part[], chunkRows: number): Chunk[] {
  const chunks: Chunk[] = [];
  /** the chunk being filled, by the step key of its sequences */
  const open = new Map<string, { chunk: Chunk; rows: number }>();
  for (const [feed, { sequence, tokens }] of parts.entries()) {
    const { stepKey } = sequence.keeping;
    for (let begin = 0; begin < tokens.length;) {
      let current = open.get(stepKey);
      if (!current || current.rows === chunkRows) {
        current = { chunk: { parts: [], outputs: [] }, rows: 0 };
        open.set(stepKey, current);
        chunks.push(current.chunk);
      }
      const end = Math.min(tokens.length, begin + chunkRows - current.rows);
      current.chunk.parts.push({ sequence, tokens: tokens.slice(begin, end) });
      current.rows += end - begin;
      if (end === tokens.length) current.chunk.outputs.push({ row: current.rows - 1, feed });
      begin = end;
    }
  }
  return chunks;
}
