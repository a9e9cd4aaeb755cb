// The operations of the forward pass. Each appends calls and taps to a draft and returns the tensor that it computes.

import { ACTIVATIONS, activate, add, linear, normalize, scaleShift } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { variable } from "../devices/program.ts";
import { Draft, type Declared, type DraftTensor, type TapMarker, type TapPlace } from "./draft.ts";
import { families } from "./families/index.ts";
import type { LinearWeights, NormWeights } from "./weights.ts";

/** The number of rows of a step. */
export const rows = variable("rows");

/** A draft over the tensors of one model. */
export class LayerOps extends Draft {
  readonly #config: ModelConfig;
  readonly #marker: TapMarker | undefined;

  constructor(config: ModelConfig, marker: TapMarker | undefined) {
    super();
    this.#config = config;
    this.#marker = marker;
  }

  /** [rows, width] */
  rows(name: string, width: number): Declared {
    return this.declare(name, "rows", width);
  }

  /** [outputs, width] */
  outputs(name: string, width: number): Declared {
    return this.declare(name, "outputs", width);
  }

  /** [rows, heads, columns], with twice the columns for two key sources */
  pattern(name: "scores" | "pattern", isDouble: boolean): Declared {
    const { heads } = this.#config;
    return isDouble
      ? this.declare(`${name}.double`, "patternCells", 2 * heads)
      : this.declare(name, "patternCells", heads);
  }

  /** x · weightᵀ + bias -> y [rows, outputs] */
  linear(label: string, { weight, bias }: LinearWeights, x: DraftTensor, y: Declared): Declared {
    const { rows: outputs, columns: inputs } = weight;
    const shape = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs };
    const buffers = { x, weight, bias, residual: undefined, y };
    this.call(linear, label, buffers, { ...shape, activation: ACTIVATIONS.none, softcap: 0 });
    return y;
  }

  /** The family's norm: normalized, then scaled and shifted by its weights -> y, of the shape of x. */
  norm(label: string, { weight, bias }: NormWeights, x: DraftTensor, y: Declared): Declared {
    const { dim, normEpsilon: epsilon, modelType } = this.#config;
    const { norm, normWeightOffset: weightOffset } = families[modelType];
    const count = variable(y.unit);
    const normalized = this.declare(`normalized.${y.unit}`, y.unit, dim); // [rows, dim]
    const centered = Number(norm === "layer");
    this.tap(`${label}.hook_scale`, x);
    this.call(normalize, `${label}.normalize`, { x, y: normalized }, { rows: count, dim, epsilon, centered });
    this.tap(`${label}.hook_scale`, normalized, { isEdit: true });
    this.tap(`${label}.hook_normalized`, normalized);
    this.call(scaleShift, label, { x: normalized, weight, bias, y }, { rows: count, dim, weightOffset });
    this.tap(`${label}.hook_out`, y);
    return y;
  }

  /** Applies the norm after attention or feed-forward in families that have one; returns x in others. */
  postNorm(label: string, norm: NormWeights | undefined, x: Declared, name: string): Declared {
    return norm ? this.norm(label, norm, x, this.rows(name, this.#config.dim)) : x;
  }

  /** a + b -> y [rows, dim] */
  add(label: string, a: DraftTensor, b: DraftTensor, y: Declared): Declared {
    this.call(add, `${label}.add`, { a, b, y }, { rows, dim: this.#config.dim });
    return y;
  }

  /** act(x), times `up` if there is one -> y [rows, hiddenDim] */
  activate(label: string, x: DraftTensor, up: DraftTensor | undefined, y: Declared): Declared {
    const { hiddenDim: dim, activation } = this.#config;
    this.call(activate, label, { x, up, y }, { rows, dim, activation: ACTIVATIONS[activation] });
    return y;
  }

  /** Marks a point where a caller that asked for the tap can read the tensor and replace it; returns the tensor. */
  tap<T extends DraftTensor>(name: string, tensor: T, place?: TapPlace): T {
    const tap = this.#marker?.(name, tensor, place);
    if (tap) this.addTap(tap);
    return tensor;
  }
}
