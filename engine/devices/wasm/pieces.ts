// A matrix's rows as the device takes them in: whole panels, so many at a time.

import { bytesPerWeight, matrixByteLength, packRows, type QuantizedFormat } from "../../../kernels/index.ts";
import { DeviceError, type MatrixSource } from "../device.ts";

/** Weights that are quantized at a time, so that the caller's thread is never held for long. */
const PIECE_WEIGHTS = 1 << 18;

/** Quantized panels, and where in the packed matrix they begin. */
export interface QuantizedPiece {
  readonly offset: number;
  readonly data: Uint32Array<ArrayBuffer>;
}

/** Throws a DeviceError unless a source gave the bytes of rows begin..end. */
export function throwUnlessWhole(
  label: string,
  begin: number,
  end: number,
  byteLength: number,
  rowBytes: number,
): void {
  const wanted = (end - begin) * rowBytes;
  if (byteLength === wanted) return;
  throw new DeviceError("failed", `"${label}": rows ${begin}..${end} are ${byteLength} bytes; ${wanted} were wanted`);
}

/** Reads a matrix and quantizes it here, in the caller's thread, a piece at a time. */
export async function* quantizedPieces(
  source: MatrixSource,
  format: QuantizedFormat,
  signal: AbortSignal | undefined,
): AsyncGenerator<QuantizedPiece, void, undefined> {
  const { label, rows, columns, format: stored } = source;
  const rowBytes = columns * bytesPerWeight(stored);
  const step = 8 * Math.max(1, Math.floor(PIECE_WEIGHTS / (8 * columns)));
  const shape = { columns, format, stored, layout: "panels" } as const;
  for (let begin = 0; begin < rows; begin += step) {
    const end = Math.min(rows, begin + step);
    const bytes = await source.read(begin, end, signal);
    signal?.throwIfAborted();
    throwUnlessWhole(label, begin, end, bytes.byteLength, rowBytes);
    const piece = { ...shape, rows: end - begin };
    const data = new Uint32Array(matrixByteLength(piece) / 4);
    packRows(piece, bytes, 0, new Uint8Array(data.buffer));
    yield { offset: matrixByteLength({ ...shape, rows: begin }), data };
  }
}
