// Turns a request for taps into the taps of a draft. Loaded with the first pass that has some.

import type { ModelConfig } from "../../loaders/index.ts";
import type { TapMarker } from "./draft.ts";
import { RESIDUAL_IN, RESIDUAL_OUT, tapKinds, type TapKind, type TapShape } from "./taps.ts";

/** The taps that a recording is made for. */
export interface TapRequest {
  /** read by the caller */
  readonly wants: (name: string) => boolean;
  /** replaced by a hook: later calls read the replaced tensor */
  readonly edits: (name: string) => boolean;
}

/** Marks the taps that were asked for, and the residuals with which a pass begins and ends between layers. */
export function tapMarker({ wants, edits }: TapRequest, config: ModelConfig): TapMarker {
  const residual: TapKind = { name: "", shape: "dim" };
  const kinds = new Map([...tapKinds(config.layers), [RESIDUAL_IN, residual], [RESIDUAL_OUT, residual]]);
  return (name, tensor, place = {}) => {
    const kind = kinds.get(name);
    if (!kind) throw new RangeError(`the forward pass names a tap "${name}" that is not in the table of taps`);
    const isEdited = name === RESIDUAL_IN || edits(name);
    if (!isEdited && !wants(name) && name !== RESIDUAL_OUT) return undefined;
    const { isEdit = false, isDouble = false } = place;
    if (isEdit && !isEdited) return undefined;
    const { shape: own } = kind;
    const derived = own === "scale" || own === "result" ? own : undefined;
    // A derived tap is read from its source, and only the tensor behind it is changed.
    const source = derived === "result" && !isEdit ? "heads" : "dim";
    const shape = rowShape(own === "scale" || own === "result" ? source : own, config);
    const width = shape.reduce((product, size) => product * size, 1);
    const { offset = 0, stride = width } = place;
    const where = { offset, width, stride, shape, isPattern: kind.shape === "pattern", isDouble };
    return { name, tensor, isEdited: derived ? isEdit : isEdited, ...where, ...(derived && { derived, isEdit }) };
  };
}

function rowShape(shape: Exclude<TapShape, "scale" | "result">, config: ModelConfig): readonly number[] {
  const { dim, hiddenDim, heads, kvHeads, headDim } = config;
  const shapes = {
    dim: [dim],
    hiddenDim: [hiddenDim],
    heads: [heads, headDim],
    kvHeads: [kvHeads, headDim],
    pattern: [heads],
  } satisfies Record<typeof shape, readonly number[]>;
  return shapes[shape];
}
