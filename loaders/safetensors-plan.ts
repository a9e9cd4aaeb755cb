// Plans the layout of a safetensors file before it is written, so that it can be written piece by piece.

import { parseHeader } from "./safetensors-header.ts";
import { DTYPE_BITS, type Dtype } from "./tensor-info.ts";
import { finish } from "./work.ts";

/** A tensor that will be written. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** The beginning of a file, and the place of each tensor's bytes in it, half-open, counted from the file's first byte. */
export interface SafetensorsPlan {
  readonly head: Uint8Array;
  readonly places: ReadonlyMap<string, { readonly begin: number; readonly end: number }>;
  readonly byteLength: number;
}

/**
 * Plans a file whose tensors lie in this order, the header padded to 8 bytes.
 *
 * Throws a FormatError for a repeated name, and for a tensor that is no whole number of bytes.
 */
export function planSafetensors(
  tensors: Iterable<PlannedTensor>,
  metadata: ReadonlyMap<string, string> | Readonly<Record<string, string>> = {},
): SafetensorsPlan {
  const pairs = metadata instanceof Map ? [...metadata] : Object.entries(metadata);
  // Built as text, member by member: an object would move names that look like numbers to the front.
  const members: string[] = [];
  if (pairs.length > 0) {
    members.push(
      `"__metadata__":{${pairs.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(",")}}`,
    );
  }
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = offset + Math.ceil((shape.reduce((product, size) => product * size, 1) * DTYPE_BITS[dtype]) / 8);
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = `{${members.join(",")}}`;
  const headerBytes = new TextEncoder().encode(json);
  const dataBegin = 8 + Math.ceil(headerBytes.byteLength / 8) * 8;
  const byteLength = dataBegin + offset;
  // The reader judges what will be written: shapes, spans and names are checked in one place only.
  const { tensors: places } = finish(parseHeader("the file to be written", json, dataBegin, byteLength));
  const head = new Uint8Array(dataBegin).fill(0x20, 8);
  new DataView(head.buffer).setUint32(0, dataBegin - 8, true);
  head.set(headerBytes, 8);
  return { head, places, byteLength };
}
