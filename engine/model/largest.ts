// The top-K logits of a step's outputs, chosen on the device: sampling reads them in place of whole rows.

import { LARGEST_COUNT } from "../generate/decoder.ts";
import type { Activations } from "./activations.ts";

/** The tensors that hold them: `values` and `columnOf` (tokens) [outputs, k], `total` (sums of weights) [outputs]. */
export function topKTensors(activations: Activations, vocabSize: number) {
  const k = Math.min(LARGEST_COUNT, vocabSize);
  return {
    k,
    values: activations.outputs("largest.logits", k),
    columnOf: activations.outputWords("largest.tokens", k),
    total: activations.outputs("largest.total", 1),
  };
}
