// The top-K logits of a step's outputs, chosen on the device: sampling reads them in place of whole rows.

import { TOP_LOGITS } from "../generate/decoder.ts";
import type { Activations } from "./activations.ts";

/** The tensors that hold them: `values` and `columnOf` (tokens) [outputs, k], `total` (sums of weights) [outputs]. */
export function topKTensors(activations: Activations, vocabSize: number) {
  const k = Math.min(TOP_LOGITS, vocabSize);
  return {
    k,
    values: activations.outputs("topLogits.logits", k),
    columnOf: activations.outputWords("topLogits.tokens", k),
    total: activations.outputs("topLogits.total", 1),
  };
}
