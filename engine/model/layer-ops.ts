// The operations of the forward pass. Each appends calls and taps to a draft and returns the tensor that it computes.

import { ACTIVATIONS, activate, add, linear, normalize, scaleShift } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { variable } from "../devices/program.ts";
import { Draft, type Declared, type DraftTensor } from "./draft.ts";
import { families } from "./families/index.ts";
import type { TapRequest, TapShape } from "./taps.ts";
import type { LinearWeights, NormWeights } from "./weights.ts";

/** The number of rows of a step. */
export const rows = variable("rows");

/** A draft over the tensors of one model. */
export class LayerOps extends Draft {
  readonly #config: ModelConfig;
  readonly #request: TapRequest | undefined;

  constructor(config: ModelConfig, taps: TapRequest | undefined) {
    super();
    this.#config = config;
    this.#request = taps;
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
    this.call(normalize, `${label}.normalize`, { x, y: normalized }, { rows: count, dim, epsilon, centered });
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

  /**
   * Marks a point where a caller that requested the tap can read the tensor and replace it. The tap begins at `offset` of each row of
   * `stride` numbers; it is the whole row by default.
   */
  tap(name: string, tensor: DraftTensor, place: TapPlace = {}): void {
    if (!this.#request) return;
    const { kinds, wants, edits } = this.#request;
    const kind = kinds.get(name);
    if (!kind) throw new RangeError(`the forward pass names a tap "${name}" that is not in the table of taps`);
    const isEdited = edits(name);
    if (!isEdited && !wants(name)) return;
    const shape = this.#rowShape(kind.shape);
    const width = shape.reduce((product, size) => product * size, 1);
    const { offset = 0, stride = width, isDouble = false } = place;
    const isPattern = kind.shape === "pattern";
    this.addTap({ name, tensor, isEdited, offset, width, stride, shape, isPattern, isDouble });
  }

  #rowShape(shape: TapShape): readonly number[] {
    const { dim, hiddenDim, heads, kvHeads, headDim } = this.#config;
    const shapes = {
      dim: [dim],
      hiddenDim: [hiddenDim],
      heads: [heads, headDim],
      kvHeads: [kvHeads, headDim],
      pattern: [heads],
    } satisfies Record<TapShape, readonly number[]>;
    return shapes[shape];
  }
}

/** The place of a tap in its tensor. */
export interface TapPlace {
  readonly offset?: number;
  readonly stride?: number;
  /** a pattern over two key sources */
  readonly isDouble?: boolean;
}
