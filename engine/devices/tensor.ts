// What a device holds: tensors, which programs read and write, and matrices of weights.

import type { MatrixFormat } from "../../kernels/index.ts";

/** What a tensor's bytes count as in `memory()`. */
export type TensorRole = "weights" | "cache" | "activations";

/** A block of numbers on the device. Its length changes only through `resize`. */
export interface Tensor {
  readonly label: string;
  readonly type: "f32" | "u32";
  readonly role: TensorRole;
  readonly length: number;
}

/** Weights [rows, columns], packed as the device's kernels want them. */
export interface Matrix {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  readonly byteLength: number;
}
