// Calls of the module's functions that pack and quantize weights. They are not kernels, because no program contains them, but their
// words are laid out like a kernel's, so that build/calls.mjs generates classes for them too.

import type { BufferUse, ParamType } from "../kernel.ts";
import type { MatrixFormat } from "./matrix.ts";

interface PackingCall {
  readonly name: string;
  readonly buffers: Readonly<Record<string, BufferUse>>;
  readonly params: Readonly<Record<string, ParamType>>;
}

/**
 * packStored, packInt8, packInt4: rows as a file stores them, or quantized (quantized-rows.ts), to panels.
 * `kind` is bytes of a weight for packStored, a code of STORED_CODES for the others.
 */
export const packCall = {
  name: "pack",
  buffers: { from: "read", to: "write" },
  params: { rows: "u32", columns: "u32", kind: "u32" },
} as const satisfies PackingCall;

/** quantizeRowsInt8, quantizeRowsInt4: stored rows to the planes of quantized-rows.ts. `stored` is a code of STORED_CODES. */
export const quantizeRowsCall = {
  name: "quantize-rows",
  buffers: { from: "read", to: "write" },
  params: { rows: "u32", columns: "u32", stored: "u32" },
} as const satisfies PackingCall;

/** What these functions call the format of stored rows; rows of a quantized format are not quantized again. */
export const STORED_CODES = { f32: 0, f16: 1, bf16: 2, int8: 3, int4: 3 } as const satisfies Record<
  MatrixFormat,
  number
>;

/** The words of a call, in order. */
export function wordsOf<C extends PackingCall>(
  { buffers, params }: C,
  values: { readonly [Name in keyof C["buffers"] | keyof C["params"]]: number },
): readonly number[] {
  const byName: Readonly<Record<string, number>> = values;
  return [...Object.keys(buffers), ...Object.keys(params)].map((name) => byName[name]!);
}
