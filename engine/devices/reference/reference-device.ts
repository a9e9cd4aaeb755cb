// The oracle: every kernel's reference, in f64, one call after the other. Slow on purpose.
// Tensors of f32 are kept as f64, so that nothing is rounded between kernels.

import {
  decodeQuantizedRows,
  decodeWeights,
  headWords,
  isQuantized,
  packHeads,
  roundToFormat,
  unpackHeads,
  type CachePacking,
  type Floats,
  type Implementation,
} from "../../../kernels/index.ts";
import {
  checkPrepare,
  checkTensorOptions,
  checkCopy,
  DeviceError,
  type Device,
  type DeviceMemory,
  type Executable,
  type Matrix,
  type MatrixSource,
  type PrepareOptions,
  type Read,
  type Step,
  type Tensor,
  type TensorOptions,
  type TensorRole,
  type Write,
} from "../device.ts";
import { resolveParams, type Call, type Program } from "../program.ts";
import { numbersIn } from "../tensor.ts";

interface ReferenceTensor extends Tensor {
  /** of a cache the numbers that its words stand for */
  values: Float64Array | Uint32Array;
}
interface ReferenceMatrix extends Matrix {
  /** [rows, columns]; f32 holds every format exactly, quantized ones as what they decode to */
  readonly values: Float32Array;
}

/** How long calls may run before the event loop gets a turn. */
const TURN_MILLISECONDS = 20;
/** Bytes of a matrix that are read at a time. */
const PIECE_BYTES = 8 << 20;

/** The device that computes with the kernels' f64 references, in the caller's thread. */
export class ReferenceDevice implements Device {
  readonly name = "reference";
  readonly description = "reference: f64 in plain JavaScript, the oracle that the other devices are held against";
  readonly preferredRows = 64;
  readonly demotions = [];
  readonly #tensors = new Set<ReferenceTensor>();
  readonly #matrices = new Set<ReferenceMatrix>();
  /** every operation waits for the one before it */
  #queue: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    options: TensorOptions = {},
  ): Tensor {
    checkTensorOptions(options);
    const { packing } = options;
    const tensor: ReferenceTensor = { label, type, role, length, packing, values: new Float64Array() };
    tensor.values = this.#allocate(tensor);
    this.#tensors.add(tensor);
    return tensor;
  }

  resize(tensor: Tensor, length: number): void {
    const held = this.#held(tensor);
    void this.#enqueue(() => {
      const values = this.#allocate({ ...held, length });
      values.set(held.values.subarray(0, values.length));
      held.values = values;
    });
    (held as { length: number }).length = length;
  }

  destroy(thing: Tensor | Matrix): void {
    void this.#enqueue(() => {
      this.#tensors.delete(thing as ReferenceTensor);
      this.#matrices.delete(thing as ReferenceMatrix);
    });
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    const { label, rows, columns, format, quantize } = source;
    const values = this.#room(label, rows * columns, (length) => new Float32Array(length));
    const step = Math.max(1, Math.floor(PIECE_BYTES / (columns * 4)));
    for (let begin = 0; begin < rows; begin += step) {
      const bytes = await source.read(begin, Math.min(rows, begin + step), signal);
      const stored = isQuantized(format) ? decodeQuantizedRows(format, bytes, columns) : decodeWeights(format, bytes);
      values.set(quantize ? roundToFormat(quantize, stored, columns) : stored, begin * columns);
    }
    this.#throwIfDisposed();
    const kept = quantize ?? format;
    const matrix = { label, rows, columns, format: kept, byteLength: values.byteLength, values };
    this.#matrices.add(matrix);
    return matrix;
  }

  copyMatrix(matrix: Matrix): Matrix {
    const { values, ...shape } = this.#known(matrix) as ReferenceMatrix;
    const copy = { ...shape, values: this.#room(matrix.label, values.length, () => values.slice()) };
    this.#matrices.add(copy);
    return copy;
  }

  write(write: Write): void {
    const apply = this.#pendingWrite(write);
    void this.#enqueue(apply);
  }

  read(read: Read): Promise<Float32Array | Uint32Array> {
    return this.#enqueue(() => this.#copyOut(read));
  }

  implementationsOf(): readonly Implementation[] {
    return [];
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    checkPrepare(options);
    options.onProgress?.(program.calls.length, program.calls.length);
    return { program, chosen: program.calls.map(() => ["reference"]), dispose: () => undefined };
  }

  async run({ program }: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    const runs = steps.map((step) => this.#runStep(program, step));
    return (await Promise.all(runs)).flat();
  }

  #runStep(program: Program, step: Step): Promise<(Float32Array | Uint32Array)[]> {
    const writes = (step.writes ?? []).map((write) => this.#pendingWrite(write));
    for (const copy of step.copies ?? []) checkCopy(copy);
    return this.#enqueue(async () => {
      for (const apply of writes) apply();
      for (const { from, to, length } of step.copies ?? []) {
        this.#held(to).values.set(this.#held(from).values.subarray(0, length));
      }
      let turn = performance.now();
      for (const call of program.calls.slice(step.begin ?? 0, step.end ?? program.calls.length)) {
        this.#replay(call, step.variables);
        if (performance.now() - turn < TURN_MILLISECONDS) continue;
        await new Promise((resolve) => setTimeout(resolve, 0));
        this.#throwIfDisposed();
        turn = performance.now();
      }
      return (step.reads ?? []).map((read) => this.#copyOut(read));
    });
  }

  memory(): DeviceMemory {
    const bytes = { weights: 0, cache: 0, activations: 0 };
    for (const { role, length, values } of this.#tensors) bytes[role] += length * values.BYTES_PER_ELEMENT;
    for (const { byteLength } of this.#matrices) bytes.weights += byteLength;
    return bytes;
  }

  dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#tensors.clear();
    this.#matrices.clear();
    return Promise.resolve();
  }

  #replay(call: Call, variables: Readonly<Record<string, number>>): void {
    const params = resolveParams(call, variables);
    const sizes = call.kernel.sizes(params);
    const arrays: Record<string, Floats | Uint32Array | undefined> = {};
    for (const [name, buffer] of Object.entries(call.buffers)) {
      if (buffer === undefined) continue;
      const { values } = this.#known(buffer);
      const needed = sizes[name]!;
      if (values.length < needed) {
        throw new DeviceError(
          "failed",
          `${call.label}: ${call.kernel.name} needs ${needed} numbers in ${name}; tensor "${buffer.label}" has ${values.length}`,
        );
      }
      arrays[name] = values.subarray(0, needed);
    }
    const formats = Object.entries(call.buffers).map(([, buffer]) => (buffer as Tensor | undefined)?.packing?.format);
    const cacheFormat = formats.find((format) => format !== undefined);
    call.kernel.reference(arrays, params, cacheFormat);
  }

  /** The numbers are copied now, the tensor changes in turn. */
  #pendingWrite({ tensor, data, offset = 0 }: Write): () => void {
    if (offset + data.length > tensor.length) {
      throw new RangeError(
        `writing ${data.length} numbers at ${offset} runs past tensor "${tensor.label}" of ${tensor.length}`,
      );
    }
    const { packing } = tensor;
    if (!packing || packing.format === "f32") {
      const copy = data.slice();
      return () => this.#held(tensor).values.set(copy, offset);
    }
    const numbers = unpackHeads(packing, Uint32Array.from(data));
    const at = this.#numbersBefore(tensor.label, packing, offset, offset + data.length);
    return () => this.#held(tensor).values.set(numbers, at);
  }

  #copyOut({ tensor, begin, end }: Read): Float32Array | Uint32Array {
    const { values, packing } = this.#held(tensor);
    if (packing && packing.format !== "f32") {
      const [from, to] = [begin, end].map((at) => this.#numbersBefore(tensor.label, packing, at, end));
      return packHeads(packing, values.subarray(from, to));
    }
    return values instanceof Uint32Array ? values.slice(begin, end) : Float32Array.from(values.subarray(begin, end));
  }

  /** How many numbers the words before `begin` stand for. Throws a RangeError where begin..end are not whole heads. */
  #numbersBefore(label: string, packing: CachePacking, begin: number, end: number): number {
    const perHead = headWords(packing);
    if (begin % perHead === 0 && end % perHead === 0) return (begin / perHead) * packing.headDim;
    throw new RangeError(`words ${begin}..${end} of cache "${label}" are not whole heads of ${perHead} words`);
  }

  #allocate(tensor: Tensor): Float64Array | Uint32Array {
    return tensor.type === "u32" && !tensor.packing
      ? this.#room(tensor.label, tensor.length, (count) => new Uint32Array(count))
      : this.#room(tensor.label, numbersIn(tensor), (count) => new Float64Array(count));
  }

  #room<T>(label: string, length: number, make: (length: number) => T): T {
    this.#throwIfDisposed();
    try {
      return make(length);
    } catch (cause) {
      throw new DeviceError("out-of-memory", `"${label}" needs room for ${length} numbers; there is none`, { cause });
    }
  }

  #held(tensor: Tensor): ReferenceTensor {
    return this.#known(tensor) as ReferenceTensor;
  }

  /** This device's record of a buffer. Throws a DeviceError if it was destroyed or belongs to another device. */
  #known(buffer: Tensor | Matrix): ReferenceTensor | ReferenceMatrix {
    const known = buffer as ReferenceTensor & ReferenceMatrix;
    if (this.#tensors.has(known) || this.#matrices.has(known)) return known;
    this.#throwIfDisposed();
    throw new DeviceError("failed", `"${buffer.label}" is destroyed, or belongs to another device`);
  }

  #throwIfDisposed(): void {
    if (this.#isDisposed) throw new DeviceError("disposed", "the reference device was disposed of");
  }

  #enqueue<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      this.#throwIfDisposed();
      return task();
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
