// A matrix's rows as the device takes them in: whole panels, a piece at a time, into a staging place in the memory from which all
// threads pack them to where they belong. One piece is read while the one before it is packed.
//
// Shared memory is written by whoever reads, straight into the staging place, which nobody else touches until the lead is told
// to pack. Memory of the lead's own gets its pieces by message, in a room that comes back and is used again.

import {
  bytesPerWeight,
  isQuantized,
  matrixByteLength,
  type MatrixFormat,
  storedByteLength,
} from "../../../kernels/index.ts";
import { DeviceError, type MatrixSource } from "../device.ts";
import type { Allocator } from "./allocator.ts";
import type { Crew } from "./crew.ts";
import type { WasmMemory } from "./platform.ts";

/** What filling a matrix wants of the device. */
export interface IntakeHost {
  readonly crew: Crew;
  /** the shared memory; undefined where the lead has its own */
  readonly memory: WasmMemory | undefined;
  readonly allocator: Allocator;
}

/** Bytes of a matrix that are read and packed at a time. */
const PIECE_BYTES = 4 << 20;
/** Bytes that packing may read beyond a piece. */
const SLACK_BYTES = 64;
/** How pack.quantized.as.ts calls what rows come as. */
const STORED_CODES = { f32: 0, f16: 1, bf16: 2, int8: 3, int4: 3 } as const satisfies Record<MatrixFormat, number>;
const PACKERS = { int8: "packInt8", int4: "packInt4" } as const;

/** Reads the source and packs it, quantized if it says so, into the panels at `address`. */
export async function fillPanels(
  { crew, memory, allocator }: IntakeHost,
  source: MatrixSource,
  address: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { label, rows, columns, format: stored } = source;
  const format = source.quantize ?? stored;
  const packer = isQuantized(format) ? PACKERS[format] : "packStored";
  const kind = isQuantized(format) ? STORED_CODES[stored] : bytesPerWeight(stored);
  const place = crew.placeOf(packer);
  if (place === undefined) throw new DeviceError("failed", `wasm: the module has no function ${packer}`);
  const bytesOf = (count: number) => storedByteLength(stored, count, columns);
  const step = 8 * Math.max(1, Math.floor(PIECE_BYTES / bytesOf(8)));
  const roomBytes = Math.ceil((bytesOf(Math.min(rows, step)) + SLACK_BYTES) / 16) * 16;
  const count = rows > step ? 2 : 1;
  const staging = allocator.take(`room to pack "${label}"`, roomBytes * count);
  const rooms = Array.from({ length: count }, (_, i) => ({
    address: staging + i * roomBytes,
    bytes: memory ? new Uint8Array(memory.buffer, staging + i * roomBytes, roomBytes) : new Uint8Array(roomBytes),
    isFree: Promise.resolve(),
  }));
  try {
    for (let begin = 0, i = 0; begin < rows; begin += step, i++) {
      const end = Math.min(rows, begin + step);
      const room = rooms[i % count]!;
      await room.isFree;
      const byteLength = bytesOf(end - begin);
      const into = room.bytes.subarray(0, byteLength);
      const bytes = await source.read(begin, end, signal, into);
      signal?.throwIfAborted();
      throwUnlessWhole(label, begin, end, bytes.byteLength, byteLength);
      if (bytes.buffer !== into.buffer) into.set(bytes);
      const to = address + matrixByteLength({ rows: begin, columns, format, layout: "panels" });
      const record = Uint32Array.of(place, room.address, end - begin, columns, kind, to);
      const words = memory ? undefined : new Uint32Array(room.bytes.buffer);
      const transfer = words ? [words.buffer] : [];
      room.isFree = crew
        .request({ kind: "pack", record, staging: room.address, words }, () => `packing "${label}"`, transfer)
        .then(([back]) => {
          if (back) room.bytes = new Uint8Array(back.buffer as ArrayBuffer);
        });
      room.isFree.catch(() => undefined);
    }
    await Promise.all(rooms.map(({ isFree }) => isFree));
  } finally {
    await Promise.allSettled(rooms.map(({ isFree }) => isFree));
    allocator.free(staging, roomBytes * count);
  }
}

/** Throws a DeviceError unless a source gave the bytes of rows begin..end. */
function throwUnlessWhole(label: string, begin: number, end: number, byteLength: number, wanted: number): void {
  if (byteLength === wanted) return;
  throw new DeviceError("failed", `"${label}": rows ${begin}..${end} are ${byteLength} bytes; ${wanted} were wanted`);
}
