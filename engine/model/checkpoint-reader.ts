// Reads tensors of a checkpoint for the forward pass: vectors as f32, matrices as sources of rows, each checked against the shape that
// the configuration requires. A matrix is stored as floats or is quantized already (loaders/quantized.ts).

import { planesOf, storedByteLength, type MatrixFormat, type StoredFormat } from "../../kernels/index.ts";
import { checkHalves, findQuantized, FormatError, UnsupportedError, type Checkpoint } from "../../loaders/index.ts";
import type { MatrixSource } from "../devices/device.ts";
import { placeOfNotFinite, weightAt } from "../devices/not-finite.ts";
import type { RowRun } from "./families/index.ts";
import type { MatrixTensor, VectorSpec } from "./weight-list.ts";

const FORMATS: Readonly<Record<string, StoredFormat>> = { F32: "f32", F16: "f16", BF16: "bf16" };
/** Bytes of a transposed matrix that are read at a time. */
const TRANSPOSE_BYTES = 4 << 20;
/** Rows that are written at the same time while a matrix is transposed: what is read for them is a cache line or two. */
const TILE_ROWS = 16;

/** A vector that was found in the checkpoint and not yet read. */
export interface VectorSource {
  /** in the order that the forward pass wants */
  read(signal?: AbortSignal): Promise<Float32Array>;
}

/** Some rows of a tensor that follow each other. */
interface Run extends RowRun {
  readonly name: string;
  readonly format: MatrixFormat;
  /** of a quantized tensor: codes, minima, scales */
  readonly parts: readonly string[];
}

/** Reads tensors of one checkpoint. */
export class CheckpointReader {
  /** names of tensors that were used */
  readonly used = new Set<string>();
  readonly #checkpoint: Checkpoint;
  readonly #file: string;
  readonly #isQuantized: boolean;

  /** @param isQuantized whether the checkpoint may have matrices that are quantized already */
  constructor(checkpoint: Checkpoint, file: string, isQuantized: boolean) {
    this.#checkpoint = checkpoint;
    this.#file = file;
    this.#isQuantized = isQuantized;
  }

  /** Checks that a tensor of floats is there, of this shape. */
  check(name: string, shape: readonly number[]): StoredFormat {
    const info = this.#checkpoint.tensors.get(name);
    if (!info) {
      throw new FormatError(this.#file, `has no tensor "${name}" [${shape.join(",")}], which config.json calls for`, {
        tensor: name,
      });
    }
    if (info.shape.length !== shape.length || info.shape.some((size, axis) => size !== shape[axis])) {
      throw new FormatError(
        info.file,
        `tensor "${name}" has shape [${info.shape.join(",")}], but config.json calls for [${shape.join(",")}]`,
        { tensor: name },
      );
    }
    const format = FORMATS[info.dtype];
    if (!format) {
      throw new UnsupportedError(`${info.file}: tensor "${name}" is ${info.dtype}; weights must be F32, F16 or BF16`);
    }
    this.used.add(name);
    return format;
  }

  /** Finds a vector: its tensors one after the other, as f32. */
  vector({ tensors, length, runs }: Pick<VectorSpec, "tensors" | "length" | "runs">): VectorSource {
    for (const { name, shape } of tensors) this.check(name, shape);
    const read = async (signal?: AbortSignal) => {
      const stored = new Float32Array(length);
      let at = 0;
      for (const { name } of tensors) {
        const { values } = await this.#checkpoint.readTensor(name, signal);
        stored.set(values as Float32Array, at);
        at += values.length;
      }
      return runs ? reordered(stored, runs) : stored;
    };
    return { read };
  }

  /**
   * Finds a matrix [rows, columns], whose rows are read when they are asked for. With `isFinite` reading throws a FormatError for
   * weights that are NaN or infinite, which cannot be quantized.
   */
  matrix(label: string, tensors: readonly MatrixTensor[], { isFinite = false } = {}): MatrixSource {
    const [first] = tensors;
    return tensors.length === 1 && first!.isTransposed && !this.#holdsCodes(first!.name)
      ? this.#transposed(label, first!, isFinite)
      : this.#rows(label, tensors, isFinite);
  }

  /** Whether a tensor is the codes of a matrix that is quantized already. */
  #holdsCodes(name: string): boolean {
    const dtype = this.#checkpoint.tensors.get(name)?.dtype;
    return this.#isQuantized && (dtype === "I8" || dtype === "U8");
  }

  /** Rows of one or several [*, columns] matrices, one run after the other. */
  #rows(label: string, tensors: readonly MatrixTensor[], isFinite: boolean): MatrixSource {
    const { columns } = tensors[0]!;
    const runs = tensors.flatMap(({ name, rows, runs: own = [{ begin: 0, count: rows }] }): Run[] => {
      const quantized = this.#isQuantized ? findQuantized(this.#checkpoint, name, rows, columns) : null;
      for (const part of quantized?.names ?? []) this.used.add(part);
      const format = quantized?.kind ?? this.check(name, [rows, columns]);
      return own.map((run) => ({ name, format, parts: quantized?.names ?? [], ...run }));
    });
    const { format } = runs[0]!;
    const odd = runs.find((run) => run.format !== format);
    if (odd) {
      throw new UnsupportedError(
        `${this.#file}: "${odd.name}" is ${odd.format} and "${runs[0]!.name}" ${format}; fused matrices must share a type`,
      );
    }
    const rows = runs.reduce((sum, run) => sum + run.count, 0);
    const read = async (begin: number, end: number, signal?: AbortSignal, into?: Uint8Array) => {
      const bytes = into ?? new Uint8Array(storedByteLength(format, end - begin, columns));
      const reads: Promise<void>[] = [];
      let first = 0;
      for (const run of runs) {
        const from = Math.max(begin, first);
        const to = Math.min(end, first + run.count);
        if (from < to) {
          const place = { row: run.begin + from - first, count: to - from, columns, at: from - begin, of: end - begin };
          if (format === "int8" || format === "int4") reads.push(...this.#planes(run, format, place, bytes, signal));
          else {
            const rowBytes = storedByteLength(format, 1, columns);
            const room = bytes.subarray(place.at * rowBytes, (place.at + place.count) * rowBytes);
            const done = this.#read(run.name, place.row * rowBytes, room, signal);
            reads.push(isFinite ? done.then(() => checkFinite(run.name, format, room, place.row, columns)) : done);
          }
        }
        first += run.count;
      }
      // all of them, since the room may be used for something else once this has failed
      const failed = (await Promise.allSettled(reads)).find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      return bytes;
    };
    return { label, rows, columns, format, read };
  }

  /** A matrix that is stored [columns, rows]: it is transposed into memory, a few stored rows at a time, on its first read. */
  #transposed(label: string, { name, rows, columns, runs }: MatrixTensor, isFinite: boolean): MatrixSource {
    const format = this.check(name, [columns, rows]);
    const Cells = format === "f32" ? Uint32Array : Uint16Array;
    const size = Cells.BYTES_PER_ELEMENT;
    const order =
      runs &&
      reordered(
        Uint32Array.from({ length: rows }, (_, row) => row),
        runs,
      );
    const transpose = async (signal?: AbortSignal) => {
      const result = new Cells(rows * columns);
      const step = Math.max(1, Math.floor(TRANSPOSE_BYTES / (rows * size)));
      const block = new Cells(Math.min(step, columns) * rows);
      for (let begin = 0; begin < columns; begin += step) {
        const count = Math.min(step, columns - begin);
        await this.#read(name, begin * rows * size, new Uint8Array(block.buffer, 0, count * rows * size), signal);
        for (let first = 0; first < rows; first += TILE_ROWS) {
          const last = Math.min(rows, first + TILE_ROWS);
          for (let i = 0; i < count; i++) {
            for (let row = first; row < last; row++) {
              result[row * columns + begin + i] = block[i * rows + (order ? order[row]! : row)]!;
            }
          }
        }
      }
      return new Uint8Array(result.buffer);
    };
    let transposed: Promise<Uint8Array> | undefined;
    const read = async (begin: number, end: number, signal?: AbortSignal) => {
      transposed ??= transpose(signal);
      const bytes = (await transposed).subarray(begin * columns * size, end * columns * size);
      if (isFinite) checkFinite(name, format, bytes, begin, columns);
      return bytes;
    };
    return { label, rows, columns, format, read };
  }

  /** Fills `room` with a tensor's bytes from `begin` on. */
  async #read(name: string, begin: number, room: Uint8Array, signal?: AbortSignal): Promise<void> {
    const bytes = await this.#checkpoint.readBytes(name, { begin, end: begin + room.byteLength, signal, into: room });
    if (bytes !== room) room.set(bytes);
  }

  /** Puts `count` rows of a quantized tensor, from its row `row` on, where row `at` of `of` rows lies in the planes of `bytes`. */
  #planes(
    { name, parts }: Run,
    format: "int8" | "int4",
    { row, count, columns, at, of }: Record<"row" | "count" | "columns" | "at" | "of", number>,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void>[] {
    const { groups, codeBytes, minima, scales } = planesOf(format, of, columns);
    const begins = format === "int8" ? [0, scales] : [0, minima, scales];
    const widths = begins.map((_, i) => (i === 0 ? codeBytes : groups * 2));
    const rooms = begins.map((begin, i) => bytes.subarray(begin + at * widths[i]!, begin + (at + count) * widths[i]!));
    const check = () => {
      for (const [i, part] of parts.entries()) {
        if (i > 0) checkHalves({ ...this.#checkpoint.tensors.get(part)!, name: part }, rooms[i]!, row, groups);
      }
    };
    const total = this.#checkpoint.tensors.get(name)!.shape[0];
    const span = count === of && count === total ? this.#checkpoint.readSpan(parts, signal, bytes) : null;
    if (span) {
      return [
        span.then((whole) => {
          if (whole !== bytes) bytes.set(whole);
          check();
        }),
      ];
    }
    const reads = parts.map((part, i) => this.#read(part, row * widths[i]!, rooms[i]!, signal));
    return [
      Promise.allSettled(reads)
        .then(() => Promise.all(reads))
        .then(check),
    ];
  }
}

/** Throws a FormatError for a weight that is NaN or infinite in rows `row`.. of a tensor that is to be quantized. */
function checkFinite(name: string, format: StoredFormat, bytes: Uint8Array, row: number, columns: number): void {
  const at = placeOfNotFinite(format, bytes);
  if (at < 0) return;
  const place = `row ${row + Math.floor(at / columns)}, column ${at % columns}`;
  const weight = weightAt(format, bytes, at);
  throw new FormatError(name, `has ${weight} in ${place}: only finite weights can be quantized`, { tensor: name });
}

/** The numbers of these runs, one run after the other. */
function reordered<T extends Float32Array | Uint32Array>(values: T, runs: readonly RowRun[]): T {
  const result = values.slice() as T;
  let at = 0;
  for (const { begin, count } of runs) {
    result.set(values.subarray(begin, begin + count), at);
    at += count;
  }
  return result;
}
