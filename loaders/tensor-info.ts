// What a safetensors file says of a tensor, and how messages name it.

/** Bits per element of every dtype the format has, in the order in which the format sorts them. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** An element type, by its name in the file. */
export type Dtype = keyof typeof DTYPE_BITS;

/** The facts about one tensor in a file's header. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where its bytes lie in the file, half-open, counted from the file's first byte. */
  readonly begin: number;
  readonly end: number;
  readonly byteLength: number;
}

/** A tensor whose places are counted from the beginning of the data until all are checked. */
export interface Entry extends TensorInfo {
  begin: number;
  end: number;
}

/** A name as messages show it: quoted, and not at any length. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 97)}...` : name);
}
