// The buffers of tensors and matrices, within the adapter's limits and counted to the byte.
//
// A shader sees a buffer through one binding, whose size is limited. A matrix beyond the limit is split by rows into several
// buffers; a tensor beyond it is refused. Sizes are rounded up to 16 bytes.

import {
  isQuantized,
  matrixByteLength,
  packRows,
  type CachePacking,
  type MatrixFormat,
} from "../../../kernels/index.ts";
import {
  DeviceError,
  type DeviceMemory,
  type Matrix,
  type MatrixSource,
  type Tensor,
  type TensorRole,
} from "../device.ts";
import { BUFFER_STEP, USAGE } from "./constants.ts";
import { deviceErrorOf, type Faults } from "./faults.ts";
import { waitFor } from "./wait.ts";

/** A tensor on the GPU; `buffer` changes when it is resized. */
export interface GpuTensor extends Tensor {
  length: number;
  buffer: GPUBuffer;
}

/** Rows begin..end of a matrix in a buffer of their own. */
export interface MatrixPiece {
  readonly begin: number;
  readonly end: number;
  readonly buffer: GPUBuffer;
}

/** A matrix on the GPU, in one piece or in as many as the binding limit requires. */
export interface GpuMatrix extends Matrix {
  readonly pieces: readonly MatrixPiece[];
}

/** Bytes of a matrix that are read and uploaded at a time. */
const UPLOAD_BYTES = 8 << 20;
/** Weights that are quantized at a time, so that the caller's thread is never held for long. */
const QUANTIZED_WEIGHTS = 1 << 18;
/** Most bytes of an upload in the queue at once: the driver keeps a copy of bytes that it has not yet moved. */
const QUEUED_BYTES = 64 << 20;

/** Bytes of the buffer for `length` numbers of four bytes. */
export function tensorBytes(length: number): number {
  return Math.max(1, Math.ceil((length * 4) / BUFFER_STEP)) * BUFFER_STEP;
}

/** The function that quantizes stored rows; undefined where they stay as stored. */
async function quantizerFor(format: MatrixFormat, stored: MatrixFormat) {
  if (!isQuantized(format) || isQuantized(stored)) return undefined;
  const { openQuantizer } = await import("../wasm/quantizer.ts");
  const quantizer = await openQuantizer();
  return (bytes: Uint8Array, columns: number) => quantizer(format, stored, bytes, columns);
}

/** Makes, resizes, counts and destroys the buffers of one device. */
export class DeviceBuffers {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly maxBytes: number;
  readonly #tensors = new Set<GpuTensor>();
  readonly #matrices = new Set<GpuMatrix>();
  /** buffers that the adapter had no room for, until their tensors are destroyed */
  readonly #roomless = new Map<GPUBuffer, DeviceError>();

  constructor(device: GPUDevice, faults: Faults, maxBytes: number) {
    this.#device = device;
    this.#faults = faults;
    this.maxBytes = maxBytes;
  }

  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    packing?: CachePacking,
  ): GpuTensor {
    const tensor = { label, type, length, role, packing, buffer: this.#buffer(label, length) };
    this.#tensors.add(tensor);
    return tensor;
  }

  /** This device's record of a tensor. Throws a DeviceError if it was destroyed or belongs to another device. */
  held(tensor: Tensor): GpuTensor {
    const held = tensor as GpuTensor;
    if (this.#tensors.has(held)) return held;
    throw new DeviceError("failed", `tensor "${tensor.label}" is destroyed, or belongs to another device`);
  }

  /** This device's record of a matrix. Throws a DeviceError if it was destroyed or belongs to another device. */
  heldMatrix(matrix: Matrix): GpuMatrix {
    const held = matrix as GpuMatrix;
    if (this.#matrices.has(held)) return held;
    throw new DeviceError("failed", `matrix "${matrix.label}" is destroyed, or belongs to another device`);
  }

  resize(tensor: GpuTensor, length: number): void {
    if (length === tensor.length) return;
    const old = tensor.buffer;
    const buffer = this.#buffer(tensor.label, length);
    const encoder = this.#device.createCommandEncoder({ label: `resize ${tensor.label}` });
    const kept = Math.min(length, tensor.length) * 4;
    if (kept > 0) encoder.copyBufferToBuffer(old, 0, buffer, 0, kept);
    this.#device.queue.submit([encoder.finish()]);
    this.#roomless.delete(old);
    old.destroy();
    tensor.buffer = buffer;
    tensor.length = length;
  }

  destroy(thing: Tensor | Matrix): void {
    if (this.#tensors.delete(thing as GpuTensor)) {
      const { buffer } = thing as GpuTensor;
      this.#roomless.delete(buffer);
      buffer.destroy();
    } else if (this.#matrices.delete(thing as GpuMatrix)) {
      for (const { buffer } of (thing as GpuMatrix).pieces) buffer.destroy();
    }
  }

  destroyAll(): void {
    for (const thing of [...this.#tensors, ...this.#matrices]) this.destroy(thing);
  }

  /** Throws the DeviceError of a tensor for which the adapter had no room. */
  throwIfRoomless(): void {
    for (const error of this.#roomless.values()) throw error;
  }

  count(): DeviceMemory {
    const bytes = { weights: 0, cache: 0, activations: 0 };
    for (const { role, buffer } of this.#tensors) bytes[role] += buffer.size;
    for (const { byteLength } of this.#matrices) bytes.weights += byteLength;
    return bytes;
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<GpuMatrix> {
    const { label, rows, columns } = source;
    const format = source.quantize ?? source.format;
    const rowBytes = matrixByteLength({ rows: 1, columns, format, layout: "rows" });
    if (rowBytes > this.maxBytes) {
      throw new DeviceError(
        "out-of-memory",
        `a row of matrix "${label}" takes ${rowBytes} bytes; this adapter binds ${this.maxBytes} at most`,
      );
    }
    const rowsOfPiece = Math.floor(this.maxBytes / rowBytes);
    const pieces: MatrixPiece[] = [];
    const scopes: Promise<DeviceError | null>[] = [];
    try {
      for (let begin = 0; begin < rows; begin += rowsOfPiece) {
        const end = Math.min(rows, begin + rowsOfPiece);
        const size = Math.ceil(((end - begin) * rowBytes) / BUFFER_STEP) * BUFFER_STEP;
        const [buffer, outcome] = this.#allocate(`matrix "${label}"`, size);
        pieces.push({ begin, end, buffer });
        scopes.push(outcome);
      }
      for (const outcome of scopes) {
        const error = await outcome;
        if (error) throw error;
      }
      await this.#upload(source, rowBytes, pieces, signal);
    } catch (error) {
      for (const { buffer } of pieces) buffer.destroy();
      throw error;
    }
    const byteLength = pieces.reduce((sum, { buffer }) => sum + buffer.size, 0);
    const matrix = { label, rows, columns, format, byteLength, pieces };
    this.#matrices.add(matrix);
    return matrix;
  }

  copyMatrix(matrix: GpuMatrix): GpuMatrix {
    const encoder = this.#device.createCommandEncoder({ label: `copy ${matrix.label}` });
    const pieces = matrix.pieces.map((piece) => {
      const [buffer, outcome] = this.#allocate(`matrix "${matrix.label}"`, piece.buffer.size);
      void outcome.then((error) => error && this.#faults.report(error));
      encoder.copyBufferToBuffer(piece.buffer, 0, buffer, 0, buffer.size);
      return { ...piece, buffer };
    });
    this.#device.queue.submit([encoder.finish()]);
    const copy = { ...matrix, pieces };
    this.#matrices.add(copy);
    return copy;
  }

  async #upload(
    source: MatrixSource,
    rowBytes: number,
    pieces: readonly MatrixPiece[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { rows, columns, format: stored } = source;
    const format = source.quantize ?? stored;
    const quantize = await quantizerFor(format, stored);
    const shape = { rows, columns, format, stored: quantize ? format : stored, layout: "rows" } as const;
    const room = quantize ? QUANTIZED_WEIGHTS / columns : UPLOAD_BYTES / rowBytes;
    const step = Math.max(1, Math.floor(room));
    const { queue } = this.#device;
    let queued = 0;
    for (const piece of pieces) {
      for (let begin = piece.begin; begin < piece.end; begin += step) {
        const end = Math.min(piece.end, begin + step);
        signal?.throwIfAborted();
        const bytes = await source.read(begin, end, signal);
        this.#faults.throwIfEnded();
        const packed = new Uint8Array((end - begin) * rowBytes);
        packRows(shape, quantize ? quantize(bytes, columns) : bytes, begin, packed, begin);
        queue.writeBuffer(piece.buffer, (begin - piece.begin) * rowBytes, packed);
        queued += packed.byteLength;
        if (queued < QUEUED_BYTES) continue;
        queue.submit([]);
        await waitFor(queue.onSubmittedWorkDone());
        queued = 0;
      }
    }
  }

  /** A zeroed buffer for `length` numbers. Throws where it is larger than a binding may be. */
  #buffer(label: string, length: number): GPUBuffer {
    const size = tensorBytes(length);
    if (!(size <= this.maxBytes)) {
      throw new DeviceError(
        "out-of-memory",
        `tensor "${label}" takes ${size} bytes; this adapter binds ${this.maxBytes} at most`,
      );
    }
    const [buffer, outcome] = this.#allocate(`tensor "${label}"`, size);
    void outcome.then((error) => {
      if (!error || this.#faults.isEnded || ![...this.#tensors].some((tensor) => tensor.buffer === buffer)) return;
      this.#roomless.set(buffer, error);
      this.#faults.report(error);
    });
    return buffer;
  }

  /** Creates a buffer; an error of the adapter is noted when it arrives. */
  #allocate(label: string, size: number): [GPUBuffer, Promise<DeviceError | null>] {
    this.#faults.throwIfEnded();
    this.#device.pushErrorScope("out-of-memory");
    this.#device.pushErrorScope("validation");
    const usage = USAGE.storage | USAGE.copySrc | USAGE.copyDst;
    const buffer = this.#device.createBuffer({ label, size, usage });
    const scopes = [this.#device.popErrorScope(), this.#device.popErrorScope()];
    const outcome = waitFor(Promise.all(scopes)).then(
      (errors) => {
        const error = errors.find((one) => one !== null);
        return error ? deviceErrorOf(error, `${label} of ${size} bytes`) : null;
      },
      () => null, // the device is lost, which is told elsewhere
    );
    return [buffer, outcome];
  }
}
