// The top-K logits of a step's outputs, chosen on the device: sampling reads them in place of whole rows.

import { topK } from "../../kernels/index.ts";
import type { Tensor } from "../devices/device.ts";
import { variable, type ProgramBuilder } from "../devices/program.ts";
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

/** Records the choice among logits [outputs, vocabSize]; the variable `inverseTemperature` is the step's. */
export function recordLargest(
  builder: ProgramBuilder,
  activations: Activations,
  logits: Tensor,
  vocabSize: number,
): void {
  const { k, ...tensors } = topKTensors(activations, vocabSize);
  const params = { rows: variable("outputs"), columns: vocabSize, k, scale: variable("inverseTemperature") };
  builder.call(topK, "head.largest", { x: logits, ...tensors }, params);
}
