// Tensors of a checkpoint as the forward pass wants them: vectors as f32, matrices as sources of rows, each checked against the
// shape that the configuration asks for. A matrix may be kept as floats or be quantized already (loaders/quantized.ts).

import { planesOf, storedByteLength, type MatrixFormat, type StoredFormat } from "../../kernels/index.ts";
import { checkHalves, findQuantized, FormatError, UnsupportedError, type Checkpoint } from "../../loaders/index.ts";
import type { MatrixSource } from "../devices/device.ts";
import type { Family, RowRun } from "./families/index.ts";

const FORMATS: Readonly<Record<string, StoredFormat>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** A matrix of the checkpoint, [rows, columns] once it is turned. */
export interface MatrixTensor {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** kept [columns, rows] */
  readonly isTransposed: boolean;
}

/** A source of rows that knows which tensors they are of. */
export interface WeightSource extends MatrixSource {
  readonly tensors: readonly MatrixTensor[];
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

  /** A vector as f32. */
  async vector(name: string, shape: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    this.check(name, shape);
    const { values } = await this.#checkpoint.readTensor(name, signal);
    return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
  }

  /** Whether a matrix is kept [columns, rows]: as its family has it, unless it is quantized. */
  isTurned(family: Family, name: string): boolean {
    const dtype = this.#checkpoint.tensors.get(name)?.dtype;
    return family.isTransposed === true && !(this.#isQuantized && (dtype === "I8" || dtype === "U8"));
  }

  /** Rows of one or several [*, columns] matrices, one run after the other, read when asked for. */
  rows(
    label: string,
    sources: readonly { name: string; rows: number; runs?: readonly RowRun[] }[],
    columns: number,
  ): WeightSource {
    const runs = sources.flatMap(({ name, rows, runs: own = [{ begin: 0, count: rows }] }): Run[] => {
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
    const tensors = sources.map((source) => ({ name: source.name, rows: source.rows, columns, isTransposed: false }));
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
            reads.push(this.#read(run.name, place.row * rowBytes, room, signal));
          }
        }
        first += run.count;
      }
      // all of them, since the room may be used for something else once this has failed
      const failed = (await Promise.allSettled(reads)).find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      return bytes;
    };
    return { label, rows, columns, format, read, tensors };
  }

  /** A matrix that is stored [columns, rows], turned over in memory on its first read. */
  transposed(label: string, name: string, rows: number, columns: number): WeightSource {
    const format = this.check(name, [columns, rows]);
    const size = format === "f32" ? 4 : 2;
    let turned: Promise<Uint8Array> | undefined;
    const turn = async (signal?: AbortSignal) => {
      const bytes = (await this.#checkpoint.readBytes(name, { signal })).slice();
      const Cells = size === 4 ? Uint32Array : Uint16Array;
      const from = new Cells(bytes.buffer);
      const to = new Cells(rows * columns);
      for (let column = 0; column < columns; column++) {
        for (let row = 0; row < rows; row++) to[row * columns + column] = from[column * rows + row]!;
      }
      return new Uint8Array(to.buffer);
    };
    const read = async (begin: number, end: number, signal?: AbortSignal) => {
      turned ??= turn(signal);
      return (await turned).subarray(begin * columns * size, end * columns * size);
    };
    return { label, rows, columns, format, read, tensors: [{ name, rows, columns, isTransposed: true }] };
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
