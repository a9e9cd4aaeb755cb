// The scores of attention by definition: one for every visible key of a row and head.

import type { Floats } from "../kernel.ts";
import type { AttentionParams } from "./params.ts";
import { isVisible } from "./visible.ts";

/** What the scores are made from. */
export interface ScoreInputs {
  readonly q: Floats;
  readonly cache: Floats;
  readonly ranges: Uint32Array;
  readonly entries: Uint32Array;
  readonly sourceCache: Floats | undefined;
  readonly headBiases: Floats | undefined;
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

/** The f32 that 32 bits stand for. */
export function floatOfBits(word: number): number {
  bits[0] = word;
  return asFloat[0]!;
}

/** Calls `visit` with each visible key of a row for one head: its place in the row's range, cache, slot and score. */
export function forEachScore(
  { q, cache, ranges, entries, sourceCache, headBiases }: ScoreInputs,
  params: AttentionParams,
  row: number,
  head: number,
  visit: (place: number, isSource: boolean, slot: number, score: number) => void,
): void {
  const { rows, heads, kvHeads, headDim, list, scale, softcap } = params;
  const kvHead = Math.floor(head / (heads / kvHeads));
  const range = (list * rows + row) * 4;
  const [begin, end, position, mark] = [ranges[range]!, ranges[range + 1]!, ranges[range + 2]!, ranges[range + 3]!];
  const sourceBias = headBiases ? headBiases[head * 2]! : 0;
  const biasScale = headBiases ? headBiases[head * 2 + 1]! : 1;
  for (let entry = begin; entry < end; entry++) {
    const [slot, keyPosition, keyMark] = [entries[entry * 4]!, entries[entry * 4 + 1]!, entries[entry * 4 + 2]!];
    const bias = floatOfBits(entries[entry * 4 + 3]!) * biasScale;
    const scoreIn = (keys: Floats) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) {
        dot += q[(row * heads + head) * headDim + i]! * keys[(slot * 2 * kvHeads + kvHead) * headDim + i]!;
      }
      const score = dot * scale;
      return softcap > 0 ? softcap * Math.tanh(score / softcap) : score;
    };
    if (isVisible(params, position, mark, keyPosition, keyMark))
      visit(entry - begin, false, slot, scoreIn(cache) + bias);
    if (sourceCache && keyMark & 1 && keyPosition <= position) {
      visit(entry - begin, true, slot, scoreIn(sourceCache) + bias + sourceBias);
    }
  }
}
