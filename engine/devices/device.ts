// The interface of a device, which owns memory (tensors and matrices), prepares programs, and replays them. The forward pass, the
// cache and everything above use nothing of a device that is not declared here.
//
// Order: writes, runs and reads of one device take effect in the order in which they were called, without awaiting each other.

import type { CachePacking, Implementation, Kernel, MatrixFormat, QuantizedFormat } from "../../kernels/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { MeasuredChoices } from "./measured-choices.ts";
import type { Call, Program } from "./program.ts";
import type { Matrix, Tensor, TensorRole } from "./tensor.ts";

export type { Matrix, Tensor, TensorRole } from "./tensor.ts";

/** The devices by name. */
export type DeviceName = "reference" | "wasm" | "webgpu" | "webgl";

/** The source of a matrix's numbers: whole rows as stored, row-major, or in planes for a quantized format (kernels/matrix/quantized-rows.ts). */
export interface MatrixSource {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  /** the format to quantize to; by default the matrix stays as stored, as does one that is quantized already */
  readonly quantize?: QuantizedFormat | undefined;
  /** returns the bytes of rows begin..end; may write them to `into`, which has exactly their length, and return that */
  read(begin: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
}

/** Numbers to be written to a tensor. */
export interface Write {
  readonly tensor: Tensor;
  readonly data: Float32Array | Uint32Array;
  /** index of the first number written, 0 by default */
  readonly offset?: number | undefined;
}
/** The numbers begin..end of a tensor, to be read back when a step has run. */
export interface Read {
  readonly tensor: Tensor;
  readonly begin: number;
  readonly end: number;
}

/** A copy of the first `length` numbers of one tensor to the beginning of another of the same type. */
export interface Copy {
  readonly from: Tensor;
  readonly to: Tensor;
  readonly length: number;
}

/** One replay of a prepared program: writes, then copies, calls and reads. */
export interface Step {
  readonly variables: Readonly<Record<string, number>>;
  readonly writes?: readonly Write[] | undefined;
  readonly copies?: readonly Copy[] | undefined;
  readonly reads?: readonly Read[] | undefined;
  /** first and one past the last call to replay; the whole program by default */
  readonly begin?: number | undefined;
  readonly end?: number | undefined;
}

/** A program prepared by a device: implementations chosen and compiled. */
export interface Executable {
  readonly program: Program;
  /** for each call the names of its implementations, fewest rows first; for tuning, tests and benches */
  readonly chosen: readonly (readonly string[])[];
  dispose(): void;
}

/** How a program is prepared. */
export interface PrepareOptions {
  /** filters the implementations that fit a call; tests and benches use it to force one */
  readonly only?: ((call: Call, implementation: Implementation) => boolean) | undefined;
  /** false skips known-answer tests: the caller verifies results itself; true by default */
  readonly isTested?: boolean | undefined;
  /** false ignores `tuning` and keeps the device's own order; true by default */
  readonly isTuned?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Optional properties of a new tensor. */
export interface TensorOptions {
  /** the form of keys and values, for a cache; its words are u32 in any format but f32 */
  readonly packing?: CachePacking | undefined;
  /** a buffer to share a memory with, where a device has several memories and there is room */
  readonly near?: Tensor | Matrix | undefined;
}

/** Bytes in use by role, exactly. */
export interface DeviceMemory {
  readonly weights: number;
  readonly cache: number;
  readonly activations: number;
}

/** An implementation that gave a wrong answer on this machine and is not used. */
export interface Demotion {
  readonly implementation: string;
  readonly reason: string;
}

/**
 * Something that holds tensors and runs programs: the whole contract between the engine and a backend. A device keeps what it
 * allocates until `destroy` or `dispose`, and knows nothing of models.
 */
export interface Device {
  readonly name: DeviceName;
  /** one line of text, such as "wasm, 2 threads, relaxed SIMD" */
  readonly description: string;
  /** the rows of a prefill step at which this device is fastest */
  readonly preferredRows: number;
  /** implementations that were found wrong so far */
  readonly demotions: readonly Demotion[];
  /** opened with `deterministic`: a row's numbers must not depend on who else is served, so that requests do not share steps */
  readonly isDeterministic?: boolean;
  /** measured choices, which `prepare` follows; absent with `deterministic`, and on devices that measure none */
  readonly tuning?: MeasuredChoices;

  /** Makes a tensor of zeros. Throws a DeviceError when there is no room. */
  createTensor(label: string, type: "f32" | "u32", length: number, role: TensorRole, options?: TensorOptions): Tensor;
  /** Grows or shrinks a tensor. Keeps the numbers that fit; new ones are zeros. */
  resize(tensor: Tensor, length: number): void;
  destroy(tensor: Tensor | Matrix): void;
  /**
   * Reads the source piece by piece and packs each piece; the device never holds all stored bytes at once. A source may: a matrix that its
   * file keeps transposed is read whole.
   */
  createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix>;
  /** Copies a packed matrix; absent where a device cannot. Throws a DeviceError when there is no room. */
  copyMatrix?(matrix: Matrix): Matrix;

  write(write: Write): void;
  read(read: Read): Promise<Float32Array | Uint32Array>;

  /** The implementations of a kernel that this device considers, best first; none on `reference`, which runs the definition itself. */
  implementationsOf(kernel: Kernel): readonly Implementation[];
  /** The reason why this device cannot run a program, as text, or null. Absent on devices that run every program. */
  refusal?(program: Program): string | null;
  /** Chooses implementations and compiles them. Each is tested on known answers before its first use. */
  prepare(program: Program, options?: PrepareOptions): Promise<Executable>;
  /**
   * Makes steps one after the other: writes, copies, replays and reads. Resolves when all are done, to the arrays read, in the order
   * of the steps and of their `reads`. Rejects with a DeviceError.
   */
  run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]>;

  /**
   * Makes a step as `run` does, without reads, and resolves to its seconds by the device's own clock. Absent on devices without
   * one; WebGPU adapters have one with the feature "timestamp-query".
   */
  timeRun?(executable: Executable, step: Omit<Step, "reads">): Promise<number>;

  memory(): DeviceMemory;
  /** Ends the device; pending calls reject with a DeviceError. */
  dispose(): Promise<void>;
}

/** Throws a RangeError unless both tensors of the copy are of one type and have its length. */
export function checkCopy({ from, to, length }: Copy): void {
  if (from.type !== to.type) {
    throw new RangeError(`tensor "${from.label}" holds ${from.type}, "${to.label}" ${to.type}: they cannot be copied`);
  }
  for (const tensor of [from, to]) {
    if (length <= tensor.length) continue;
    throw new RangeError(`tensor "${tensor.label}" has ${tensor.length} numbers; ${length} cannot be copied`);
  }
}

/** A device was lost, ran out of memory, or cannot do what was asked; `kind` says which. Another device can be opened after any of them. */
export class DeviceError extends Error {
  override readonly name = "DeviceError";
  /** "unfit": no implementation that is right on this machine fits a call */
  readonly kind: "lost" | "out-of-memory" | "disposed" | "failed" | "unfit";

  constructor(kind: DeviceError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

const PREPARE: OptionNames<PrepareOptions> = {
  only: true,
  isTested: true,
  isTuned: true,
  signal: true,
  onProgress: true,
};
const TENSOR: OptionNames<TensorOptions> = { packing: true, near: true };

/** Throws a RangeError for an option that `prepare` does not have. */
export function checkPrepare(options: PrepareOptions): void {
  checkOptions("prepare", options, PREPARE);
}

/** Throws a RangeError for an option that `createTensor` does not have. */
export function checkTensorOptions(options: TensorOptions): void {
  checkOptions("createTensor", options, TENSOR);
}
