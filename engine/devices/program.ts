// A Program is what the forward pass records: a flat list of kernel calls over named tensors. Every device replays it.
// What changes from step to step (how many rows, how many keys) stands in it as a variable; everything else is fixed, so
// that replaying allocates nothing.

import type { BufferUse, Kernel, ParamType, TypedKernel } from "../../kernels/index.ts";
import type { Matrix, Tensor } from "./tensor.ts";

/** A number that each step supplies. */
export interface Variable {
  readonly variable: string;
}
/** A parameter of a recorded call: fixed, or the step's. */
export type Value = number | Variable;

/** The step's value of `name`. */
export function variable(name: string): Variable {
  return { variable: name };
}

/** One recorded kernel call; its buffers are on a device, or stand for some that will be. */
export interface Call<Buffer = Tensor | Matrix> {
  readonly kernel: Kernel;
  /** where in the model: `blocks.3.attn.z`; used in errors, profiles and taps */
  readonly label: string;
  /** absent optional buffers are undefined */
  readonly buffers: Readonly<Record<string, Buffer | undefined>>;
  readonly params: Readonly<Record<string, Value>>;
}

/** A recorded list of calls. */
export interface Program {
  readonly label: string;
  readonly calls: readonly Call[];
}

type BufferFor<Use extends BufferUse, T> = Use extends "matrix"
  ? Matrix
  : Use extends "matrix optional"
    ? Matrix | undefined
    : Use extends `${string} optional`
      ? T | undefined
      : T;

/** A buffer for each of a kernel's; `T` is what stands for a tensor. */
export type BuffersOf<B extends Record<string, BufferUse>, T = Tensor> = {
  readonly [K in keyof B]: BufferFor<B[K], T>;
};
/** A value for each parameter of a kernel. */
export type ValuesOf<P extends Record<string, ParamType>> = { readonly [K in keyof P]: Value };

/** Records calls in order. */
export class ProgramBuilder {
  readonly calls: Call[] = [];
  readonly #label: string;

  constructor(label: string) {
    this.#label = label;
  }

  /** Appends a call; buffers and parameters are checked against the kernel's by the compiler. */
  call<B extends Record<string, BufferUse>, P extends Record<string, ParamType>>(
    kernel: TypedKernel<B, P>,
    label: string,
    buffers: BuffersOf<B>,
    params: ValuesOf<P>,
  ): void {
    this.calls.push({ kernel, label, buffers, params });
  }

  build(): Program {
    return { label: this.#label, calls: this.calls };
  }
}

/** The call's parameters with the step's values in place of variables. Throws a RangeError naming a variable that has none. */
export function resolveParams(
  call: Pick<Call, "label" | "params">,
  variables: Readonly<Record<string, number>>,
): Record<string, number> {
  const params: Record<string, number> = {};
  for (const [name, value] of Object.entries(call.params)) {
    const number = typeof value === "number" ? value : variables[value.variable];
    if (number === undefined) throw new RangeError(`${call.label}: the step gives no value for ${name}`);
    params[name] = number;
  }
  return params;
}
