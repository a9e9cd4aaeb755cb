// What a device is: it owns memory (tensors, matrices), prepares programs, and replays them. The forward pass, the cache
// and everything above know no more of a device than this file says.
//
// Order: writes, runs and reads of one device take effect in the order in which they were called, without awaiting each other.

import type { CachePacking, Implementation, Kernel, MatrixFormat, QuantizedFormat } from "../../kernels/index.ts";
import type { MeasuredChoices } from "./measured-choices.ts";
import type { Call, Program } from "./program.ts";
import type { Matrix, Tensor, TensorRole } from "./tensor.ts";

export type { Matrix, Tensor, TensorRole } from "./tensor.ts";

/** The devices by name. */
export type DeviceName = "reference" | "wasm" | "webgpu" | "webgl";

/** Where a matrix's numbers come from: whole rows as stored, row-major, or of a quantized format in planes (kernels/matrix/quantized-rows.ts). */
export interface MatrixSource {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  /** what the device makes of them as it packs them; they stay as stored by default, and where they are quantized already */
  readonly quantize?: QuantizedFormat;
  /** bytes of rows begin..end; `into` offers room for exactly them, and where it is taken the result is `into` */
  read(begin: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
}

/** Numbers going to, or coming from, a tensor. */
export interface Write {
  readonly tensor: Tensor;
  readonly data: Float32Array | Uint32Array;
  /** index of the first number written, 0 by default */
  readonly offset?: number;
}
/** The numbers begin..end of a tensor, to be read back when a step has run. */
export interface Read {
  readonly tensor: Tensor;
  readonly begin: number;
  readonly end: number;
}

/** The first `length` numbers of one tensor, copied to the beginning of another of its type. */
export interface Copy {
  readonly from: Tensor;
  readonly to: Tensor;
  readonly length: number;
}

/** One replay of a prepared program: writes, copies, calls, reads. */
export interface Step {
  readonly variables: Readonly<Record<string, number>>;
  readonly writes?: readonly Write[];
  readonly copies?: readonly Copy[];
  readonly reads?: readonly Read[];
  /** first and one past the last call to replay; the whole program by default */
  readonly begin?: number;
  readonly end?: number;
}

/** A program made ready by a device: variants chosen, pipelines made. */
export interface Executable {
  readonly program: Program;
  /** names of the implementations chosen, per call, that for the fewest rows first: for tuning, tests and benches */
  readonly chosen: readonly (readonly string[])[];
  dispose(): void;
}

/** How a program is prepared. */
export interface PrepareOptions {
  /** keeps, of the implementations that fit a call, those it returns true for; used by tests and benches to force one */
  readonly only?: ((call: Call, implementation: Implementation) => boolean) | undefined;
  /** false: implementations that had no known-answer test yet are taken without one, by who checks their results */
  readonly isTested?: boolean | undefined;
  /** false: `tuning` is not followed, but the device's own order */
  readonly isTuned?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Bytes in use; counted, not estimated. */
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
  /** one line for people: "wasm, 2 threads, relaxed SIMD" */
  readonly description: string;
  /** rows that one step should carry at most in a prefill, for this device to be at its best */
  readonly preferredRows: number;
  /** variants found wrong by the known-answer tests so far */
  readonly demotions: readonly Demotion[];
  /** choices by measurement, which `prepare` follows; absent with `deterministic`, and where there is nothing to choose */
  readonly tuning?: MeasuredChoices;

  /**
   * A tensor of zeros; with `packing` one of keys and values, whose words are u32 in any format but f32. It best lies `near` another
   * buffer, where a device has several memories. Throws a DeviceError when there is no room.
   */
  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    packing?: CachePacking,
    near?: Tensor | Matrix,
  ): Tensor;
  /** Grows or shrinks a tensor; keeps the numbers that fit, the rest are zeros. */
  resize(tensor: Tensor, length: number): void;
  destroy(tensor: Tensor | Matrix): void;
  /** Reads the source piece by piece and packs it; the file's bytes are never all in memory beside the packed ones. */
  createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix>;
  /** The same weights once more, packed as they are; absent where a device cannot copy. Throws a DeviceError when there is no room. */
  copyMatrix?(matrix: Matrix): Matrix;

  write(write: Write): void;
  read(read: Read): Promise<Float32Array | Uint32Array>;

  /** The implementations of a kernel that this device considers, best first; none on `reference`, which runs the reference itself. */
  implementationsOf(kernel: Kernel): readonly Implementation[];
  /** Why this device cannot run a program, in words; null if it can. A device without it runs every program. */
  refusal?(program: Program): string | null;
  /** Chooses implementations and makes pipelines. The first use of each implementation is its known-answer test. */
  prepare(program: Program, options?: PrepareOptions): Promise<Executable>;
  /**
   * Writes, copies, replays, reads; of several steps one after the other, and the caller hears of them once, when all are done.
   * The arrays read come in the order of the steps and their `reads`. Rejects with a DeviceError.
   */
  run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]>;

  /**
   * Runs as `run` does, without reading, and says how many seconds the device was at it by its own clock.
   * Absent where it has none: WebGPU adapters have one with the feature "timestamp-query".
   */
  timeRun?(executable: Executable, step: Omit<Step, "reads">): Promise<number>;

  memory(): DeviceMemory;
  /** Ends the device; pending calls reject with a DeviceError. */
  dispose(): Promise<void>;
}

/** Throws a RangeError unless the copy's tensors are of one type and hold its numbers. */
export function checkCopy({ from, to, length }: Copy): void {
  if (from.type !== to.type) {
    throw new RangeError(`tensor "${from.label}" holds ${from.type}, "${to.label}" ${to.type}: they cannot be copied`);
  }
  for (const tensor of [from, to]) {
    if (length <= tensor.length) continue;
    throw new RangeError(`tensor "${tensor.label}" has ${tensor.length} numbers; ${length} cannot be copied`);
  }
}

/** The device was lost, ran out of memory, or refused; `kind` says which. Opening a new engine is possible after any of them. */
export class DeviceError extends Error {
  override readonly name = "DeviceError";
  /** unfit: no implementation that is right on this machine fits a call */
  readonly kind: "lost" | "out-of-memory" | "disposed" | "failed" | "unfit";

  constructor(kind: DeviceError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
