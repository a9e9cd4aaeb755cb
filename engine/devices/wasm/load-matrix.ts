// Loads the rows of a matrix: whole panels, a piece at a time, into a staging area in the memory of the matrix, from which all
// threads pack them into place. One piece is read while the one before it is packed.
//
// A shared memory is written by the caller's thread, straight into the staging area, which no worker touches until it is told to
// pack. A memory that only the leader has gets its pieces by message, in a buffer that comes back and is used again.
//
// The kernels' way from f16 to f32 knows no infinities and NaNs: a matrix that has one is kept as f32.

import {
  bytesPerWeight,
  decodeWeights,
  isQuantized,
  matrixByteLength,
  type MatrixFormat,
  storedByteLength,
  packCall,
  STORED_CODES,
  wordsOf,
} from "../../../kernels/index.ts";
import { DeviceError, type MatrixSource } from "../device.ts";
import { placeOfNotFinite } from "../not-finite.ts";
import type { WorkerPool } from "./worker-pool.ts";
import type { Memories } from "./memories.ts";
import type { Place } from "./messages.ts";

/** The parts of a device that loading a matrix uses. */
export interface LoadHost {
  readonly pool: WorkerPool;
  readonly memories: Memories;
}

/** Bytes of a matrix that are read and packed at a time. */
const PIECE_BYTES = 4 << 20;
/** Bytes that packing may read beyond a piece. */
const SLACK_BYTES = 64;
const PACKERS = { int8: "packInt8", int4: "packInt4" } as const;

/** How a source is read: `step` rows at a time, into `count` rooms of `byteLength` bytes in turn. */
interface Rooms {
  readonly step: number;
  readonly count: number;
  readonly byteLength: number;
}

function roomsFor({ rows, columns, format }: MatrixSource): Rooms {
  const bytesOf = (count: number) => storedByteLength(format, count, columns);
  const step = 8 * Math.max(1, Math.floor(PIECE_BYTES / bytesOf(8)));
  const byteLength = Math.ceil((bytesOf(Math.min(rows, step)) + SLACK_BYTES) / 16) * 16;
  return { step, count: rows > step ? 2 : 1, byteLength };
}

/** A matrix of f16 has a weight that is NaN or infinite. */
class NotFinite extends Error {}

/** Reads the source and packs it, quantized if the source says so, into panels at a newly allocated place. */
export async function loadMatrix(
  host: LoadHost,
  source: MatrixSource,
  signal: AbortSignal | undefined,
): Promise<Place & { readonly byteLength: number; readonly format: MatrixFormat }> {
  try {
    return await loadAsItIs(host, source, signal);
  } catch (error) {
    if (!(error instanceof NotFinite)) throw error;
    return loadAsItIs(host, asF32(source), signal);
  }
}

/** A source of f16 as one of f32. */
function asF32(source: MatrixSource): MatrixSource {
  const read: MatrixSource["read"] = async (begin, end, signal) =>
    new Uint8Array(decodeWeights("f16", await source.read(begin, end, signal)).buffer);
  return { ...source, format: "f32", read };
}

async function loadAsItIs(
  host: LoadHost,
  source: MatrixSource,
  signal: AbortSignal | undefined,
): Promise<Place & { readonly byteLength: number; readonly format: MatrixFormat }> {
  const { memories } = host;
  const { label, rows, columns, quantize, format: stored } = source;
  const format = quantize ?? stored;
  const byteLength = matrixByteLength({ rows, columns, format, layout: "panels" });
  const rooms = roomsFor(source);
  const besides = rooms.count * rooms.byteLength;
  const place = memories.take(label, byteLength, { role: "weights", besides });
  try {
    await fillPanels(host, source, rooms, place, signal);
  } catch (error) {
    memories.free(place, byteLength);
    throw error;
  }
  return { ...place, byteLength, format };
}

async function fillPanels(
  { pool, memories }: LoadHost,
  source: MatrixSource,
  { step, count, byteLength: roomBytes }: Rooms,
  { memory, address }: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { label, rows, columns, format: stored } = source;
  const format = source.quantize ?? stored;
  const packer = isQuantized(format) ? PACKERS[format] : "packStored";
  const kind = isQuantized(format) ? STORED_CODES[stored] : bytesPerWeight(stored);
  const place = pool.placeOf(packer, memory);
  if (place === undefined) throw new DeviceError("failed", `wasm: the module has no function ${packer}`);
  const staging = memories.takeIn(memory, `room to pack "${label}"`, roomBytes * count);
  const shared = memories.shared(memory);
  // an answer, so that nothing is still to be written where others have given the memory back
  const isReady = shared && pool.request({ kind: "read", memory, address: staging, length: 0, type: "u32" });
  const rooms = Array.from({ length: count }, (_, i) => ({
    address: staging + i * roomBytes,
    bytes: shared ? new Uint8Array(shared.buffer, staging + i * roomBytes, roomBytes) : new Uint8Array(roomBytes),
    isFree: Promise.resolve(),
  }));
  try {
    await isReady;
    for (let begin = 0, i = 0; begin < rows; begin += step, i++) {
      const end = Math.min(rows, begin + step);
      const room = rooms[i % count]!;
      await room.isFree;
      const byteLength = storedByteLength(stored, end - begin, columns);
      const into = room.bytes.subarray(0, byteLength);
      const bytes = await source.read(begin, end, signal, into);
      signal?.throwIfAborted();
      throwUnlessWhole(label, begin, end, bytes.byteLength, byteLength);
      if (format === "f16" && placeOfNotFinite(format, bytes) >= 0) throw new NotFinite();
      if (bytes.buffer !== into.buffer) into.set(bytes);
      const to = address + matrixByteLength({ rows: begin, columns, format, layout: "panels" });
      const words = wordsOf(packCall, { from: room.address, to, rows: end - begin, columns, kind });
      const record = Uint32Array.of(place, ...words);
      const sent = shared ? undefined : new Uint32Array(room.bytes.buffer);
      const transfer = sent ? [sent.buffer] : [];
      room.isFree = pool
        .request(
          { kind: "pack", memory, record, staging: room.address, words: sent },
          () => `packing "${label}"`,
          transfer,
        )
        .then(([back]) => {
          if (back) room.bytes = new Uint8Array(back.buffer as ArrayBuffer);
        });
      room.isFree.catch(() => undefined);
    }
    await Promise.all(rooms.map(({ isFree }) => isFree));
  } finally {
    await Promise.allSettled(rooms.map(({ isFree }) => isFree));
    memories.free({ memory, address: staging }, roomBytes * count);
  }
}

/** Throws a DeviceError unless a source gave the bytes of rows begin..end. */
function throwUnlessWhole(label: string, begin: number, end: number, byteLength: number, wanted: number): void {
  if (byteLength === wanted) return;
  throw new DeviceError("failed", `"${label}": rows ${begin}..${end} are ${byteLength} bytes; ${wanted} were wanted`);
}
