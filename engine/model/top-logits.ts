// The top-K logits of a step's outputs, selected on the device. Sampling reads them instead of whole rows.

import { TOP_LOGITS } from "../generate/decoder.ts";
import type { Activations } from "./activations.ts";

/** Returns their tensors: `values` and `columnOf` (tokens) [outputs, k], `total` (sums of weights) [outputs]. */
export function topKTensors(activations: Activations, vocabSize: number) {
  const k = Math.min(TOP_LOGITS, vocabSize);
  return {
    k,
    values: activations.outputs("topLogits.logits", k),
    columnOf: activations.outputWords("topLogits.tokens", k),
    total: activations.outputs("topLogits.total", 1),
  };
}
