// Taps that no call of the forward pass computes: the host works them out from tensors that it reads, and an edit of one changes a tensor
// behind it by the difference that the edit makes.
//
//   scale:  sqrt(mean(x²) + epsilon) of the rows of a norm's input, of x less its mean for layer norms; an edit divides by the new scale
//   result: what each head adds to the output of attention, z[head] · W_O[head], without the bias; an edit adds the difference

import type { ModelConfig } from "../../loaders/index.ts";
import { CapturedTensor } from "./captured.ts";
import { families } from "./families/index.ts";

/** The parts of a model that derived taps need. */
export interface DerivedParts {
  readonly config: ModelConfig;
  /** W_O [heads, headDim, dim] of the layers whose `hook_result` is asked for */
  readonly outWeights: ReadonlyMap<number, CapturedTensor>;
}

/** A tap's numbers from its source: [rows, 1] from [rows, dim], [rows, heads, dim] from [rows, heads, headDim]. */
export function derive(
  kind: "scale" | "result",
  source: CapturedTensor,
  layer: number,
  { config, outWeights }: DerivedParts,
): CapturedTensor {
  return kind === "scale" ? scales(source, config) : results(source, outWeights.get(layer)!);
}

/** Changes `target` [rows, dim], computed with the tap as it was, to what it is with the tap as it is. */
export function applyEdit(
  kind: "scale" | "result",
  target: CapturedTensor,
  was: CapturedTensor,
  is: CapturedTensor,
): void {
  const [rows, dim] = target.shape as [number, number];
  for (let row = 0; row < rows; row++) {
    const numbers = target.row(row);
    if (kind === "scale") {
      const factor = was.data[row]! / is.data[row]!;
      for (let i = 0; i < dim; i++) numbers[i]! *= factor;
      continue;
    }
    const heads = is.shape[1]!;
    for (let i = 0; i < dim; i++) {
      let sum = numbers[i]!;
      for (let head = 0; head < heads; head++) {
        const at = (row * heads + head) * dim + i;
        sum += is.data[at]! - was.data[at]!;
      }
      numbers[i] = sum;
    }
  }
}

function scales(x: CapturedTensor, { normEpsilon, modelType }: ModelConfig): CapturedTensor {
  const [rows, dim] = x.shape as [number, number];
  const isCentered = families[modelType].norm === "layer";
  const data = Float32Array.from({ length: rows }, (_, row) => {
    const numbers = x.row(row);
    const mean = isCentered ? numbers.reduce((sum, value) => sum + value, 0) / dim : 0;
    const squares = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return Math.sqrt(squares / dim + normEpsilon);
  });
  return new CapturedTensor([rows, 1], data);
}

function results(z: CapturedTensor, weights: CapturedTensor): CapturedTensor {
  const [rows, heads, headDim] = z.shape as [number, number, number];
  const dim = weights.shape[2]!;
  const data = new Float32Array(rows * heads * dim);
  const sums = new Float64Array(dim);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const own = z.row(row, head);
      sums.fill(0);
      for (let k = 0; k < headDim; k++) {
        const factor = own[k]!;
        const line = weights.row(head, k);
        for (let i = 0; i < dim; i++) sums[i]! += factor * line[i]!;
      }
      data.set(sums, (row * heads + head) * dim);
    }
  }
  return new CapturedTensor([rows, heads, dim], data);
}
