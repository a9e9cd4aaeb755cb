// The device on WebAssembly SIMD. The caller's thread never computes and never waits: it allocates in the memories (memories.ts,
// allocations.ts), encodes programs and sends orders. A pool of workers does the rest (worker-pool.ts): a leader (leader.ts) carries
// out the orders, and its helpers walk programs with it (assembly/walk.as.ts).
//
// `deterministic` takes the module without relaxed SIMD, whose results are the same on every machine; relaxed SIMD may round
// differently on each processor.

import { type Implementation, type Kernel, type WasmImplementation } from "../../../kernels/index.ts";
import { PLAIN_TRAITS, type RowChoices } from "../choose.ts";
import {
  checkPrepare,
  checkTensorOptions,
  checkCopy,
  type Demotion,
  type Device,
  DeviceError,
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
import { MeasuredChoices } from "../measured-choices.ts";
import type { Program } from "../program.ts";
import { CompileError, Qualification } from "../qualification.ts";
import { isSecondWorth, prefetchRank, streamOf } from "./prefetch.ts";
import { WorkerPool } from "./worker-pool.ts";
import { Allocations } from "./allocations.ts";
import type { Replay } from "./messages.ts";
import { SCRATCH_BYTES, STATIC_BYTES } from "./instance.ts";
import { compileForeign, loadModule } from "./module.ts";
import { loadMatrix } from "./load-matrix.ts";
import { firstMemory, Memories } from "./memories.ts";
import { canShareMemory, defaultThreads, PAGE_BYTES, processorName } from "./platform.ts";
import { LIMIT_BYTES } from "./shared-memory.ts";
import type { WasmOptions } from "./wasm-options.ts";
import { WasmProgram } from "./wasm-program.ts";

const CONTROL_BYTES = 1024;
/** How long a kernel is replayed after its known-answer test, so that its first real use runs as well-compiled code. */
const WARM_MILLISECONDS = 2;

/** Opens the device. Throws a DeviceError when the workers or the memory cannot be had. */
export async function openWasm(options: WasmOptions = {}): Promise<Device> {
  const isShared = options.shareMemory !== false && canShareMemory();
  const threads = isShared ? Math.max(1, Math.floor(options.threads ?? defaultThreads())) : 1;
  const { module, isRelaxed } = await loadModule(isShared, options.deterministic === true);
  const scratch = STATIC_BYTES + CONTROL_BYTES;
  const begin = scratch + threads * SCRATCH_BYTES;
  const pages = Math.ceil(begin / PAGE_BYTES);
  const bytesEach = Math.min(LIMIT_BYTES, options.linearMemoryBytes ?? LIMIT_BYTES);
  const bytesTogether = options.maxMemoryBytes ?? Number.POSITIVE_INFINITY;
  const plan = { begin, pages, bytesEach, bytesTogether, isShared };
  const first = firstMemory(plan);
  const modules = await Promise.all((options.modules ?? []).map(compileForeign));
  const { memory } = first;
  const pool = await WorkerPool.start({ module, modules, memory, pages, threads, control: STATIC_BYTES, scratch });
  const names = [`wasm, ${threads} thread${threads === 1 ? "" : "s"}`, `${isRelaxed ? "relaxed" : "plain"} SIMD`];
  if (!canShareMemory()) names.push("one thread because this page is not cross-origin isolated");
  const memories = new Memories(pool, plan, first);
  return new WasmDevice(pool, memories, names.join(", "), isRelaxed, { ...options, threads });
}

class WasmDevice implements Device {
  readonly name = "wasm";
  readonly description: string;
  readonly preferredRows = 192;
  readonly isDeterministic: boolean;
  readonly tuning?: MeasuredChoices;
  readonly #pool: WorkerPool;
  readonly #memories: Memories;
  readonly #allocations: Allocations;
  readonly #options: WasmOptions;
  readonly #qualification: Qualification<WasmImplementation, null, WasmProgram>;
  /** whether implementations that prefetch weights are faster here; undefined until measured */
  #isPrefetching: boolean | undefined;

  constructor(
    pool: WorkerPool,
    memories: Memories,
    description: string,
    isRelaxed: boolean,
    options: WasmOptions & { readonly threads: number },
  ) {
    this.isDeterministic = options.deterministic === true;
    this.#pool = pool;
    this.#memories = memories;
    this.#allocations = new Allocations(pool, memories);
    this.description = description;
    if (!this.isDeterministic) {
      const identity = { device: "wasm", processor: processorName(), threads: options.threads, relaxed: isRelaxed };
      this.tuning = new MeasuredChoices(identity, false);
    }
    this.#options = options;
    this.#qualification = new Qualification<WasmImplementation, null, WasmProgram>({
      device: this,
      traits: { ...PLAIN_TRAITS, features: new Set(isRelaxed ? ["relaxed-simd"] : []) },
      isDeterministic: this.isDeterministic,
      implementationsOf: (kernel) => this.implementationsOf(kernel),
      compile: (_call, { wasm }) => {
        if (pool.placeOf(wasm) === undefined) throw new CompileError(`the module has no function ${wasm}`);
        return null;
      },
      assemble: (program, choices) => this.#encode(program, choices),
      warmUp: ({ table, program }) =>
        pool.request({ kind: "warm", table, milliseconds: WARM_MILLISECONDS }, () => program.label),
    });
  }

  get demotions(): readonly Demotion[] {
    return this.#qualification.demotions;
  }

  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    options: TensorOptions = {},
  ): Tensor {
    checkTensorOptions(options);
    const { packing, near } = options;
    this.#pool.throwIfEnded();
    const tensor: Tensor = { label, type, length, role, packing };
    this.#allocations.addTensor(tensor, near);
    return tensor;
  }

  resize(tensor: Tensor, length: number): void {
    this.#pool.throwIfEnded();
    this.#allocations.resize(tensor, length);
  }

  destroy(buffer: Tensor | Matrix): void {
    this.#allocations.destroy(buffer);
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    signal?.throwIfAborted();
    this.#pool.throwIfEnded();
    const place = await loadMatrix({ pool: this.#pool, memories: this.#memories }, source, signal);
    const { label, rows, columns } = source;
    const matrix: Matrix = { label, rows, columns, format: place.format, byteLength: place.byteLength };
    this.#allocations.addMatrix(matrix, place);
    return matrix;
  }

  copyMatrix(matrix: Matrix): Matrix {
    return this.#allocations.copyMatrix(matrix);
  }

  write({ tensor, data, offset = 0 }: Write): void {
    this.#pool.throwIfEnded();
    checkRange(tensor, offset, offset + data.length);
    for (const { memory, address } of this.#allocations.targetsOf(tensor)) {
      const copy = data.slice();
      this.#pool.order({ kind: "write", memory, address: address + offset * 4, data: copy }, [copy.buffer]);
    }
  }

  async read(read: Read): Promise<Float32Array | Uint32Array> {
    const wanted = this.#wanted(read);
    const [array] = await this.#pool.request({ kind: "read", ...wanted }, () => `reading "${read.tensor.label}"`);
    return array!;
  }

  implementationsOf(kernel: Kernel): readonly WasmImplementation[] {
    const { implementations = ({ implementations: own }) => own } = this.#options;
    return implementations(kernel).filter(isOfDevice);
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    checkPrepare(options);
    this.#pool.throwIfEnded();
    const isPrefetching = options.isTested !== false && (await this.#isPrefetchWorthwhile(program, options.signal));
    return this.#qualification.prepare(program, { ...options, rank: prefetchRank(!isPrefetching) });
  }

  /** Whether implementations that prefetch weights are faster here: measured once, with the first program that reads enough of them. */
  async #isPrefetchWorthwhile(program: Program, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.isDeterministic || this.#isPrefetching !== undefined) return this.#isPrefetching ?? false;
    const stream = streamOf(program, (...tensor) => this.createTensor(...tensor));
    if (stream === undefined) return false;
    const ways: WasmProgram[] = [];
    try {
      for (const isPrefetching of [false, true]) {
        const options = { isTuned: false, rank: prefetchRank(!isPrefetching), signal };
        ways.push(await this.#qualification.prepare(stream.program, options));
      }
      const run = (way: WasmProgram) => () => this.run(way, { variables: {} });
      this.#isPrefetching = await isSecondWorth([run(ways[0]!), run(ways[1]!)]);
      return this.#isPrefetching;
    } finally {
      for (const way of ways) way.dispose();
      for (const tensor of stream.tensors) this.destroy(tensor);
    }
  }

  #encode(program: Program, choices: readonly RowChoices<WasmImplementation>[]): WasmProgram {
    this.#pool.throwIfEnded();
    const executable = new WasmProgram(program, choices, (self) => this.#allocations.removeProgram(self));
    this.#allocations.addProgram(executable);
    return executable;
  }

  async run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    if (!(executable instanceof WasmProgram) || !this.#allocations.hasProgram(executable)) {
      this.#pool.throwIfEnded();
      throw new DeviceError("failed", `"${executable.program.label}" was not prepared by this device, or disposed of`);
    }
    this.#allocations.ensurePlaced(executable);
    const { calls } = executable.program;
    const replays: Replay[] = [];
    try {
      for (const step of steps) replays.push(this.#replay(executable, step));
    } catch (error) {
      // the program takes the words of its earlier steps as changed
      for (const { patches } of replays) this.#pool.order({ kind: "patch", patches });
      throw error;
    }
    const [words] = await this.#pool.request(
      { kind: "run", table: executable.table, steps: replays },
      (place) => `${calls[place]?.label ?? executable.program.label} (${calls[place]?.kernel.name ?? "run"})`,
      replays.map(({ writes }) => writes.buffer as ArrayBuffer),
    );
    let next = 0;
    return replays.flatMap(({ reads }) =>
      reads.map(({ length, type }) => {
        const begin = words!.byteOffset + next * 4;
        next += length;
        return type === "u32"
          ? new Uint32Array(words!.buffer, begin, length)
          : new Float32Array(words!.buffer, begin, length);
      }),
    );
  }

  /** A step as the leader receives it, with addresses instead of tensors. */
  #replay(program: WasmProgram, step: Step): Replay {
    const { calls, label } = program.program;
    const { begin = 0, end = calls.length, writes = [], copies = [] } = step;
    if (begin < 0 || end > calls.length) throw new RangeError(`${label}: calls ${begin}..${end} of ${calls.length}`);
    const placed = writes.flatMap(({ tensor, data, offset = 0 }) => {
      checkRange(tensor, offset, offset + data.length);
      return this.#allocations
        .targetsOf(tensor)
        .map(({ memory, address }) => ({ memory, address: address + offset * 4, data }));
    });
    const words = new Uint32Array(placed.reduce((sum, { data }) => sum + 3 + data.length, 0));
    let next = 0;
    for (const { memory, address, data } of placed) {
      words.set([memory, address, data.length], next);
      words.set(
        data instanceof Uint32Array ? data : new Uint32Array(data.buffer, data.byteOffset, data.length),
        next + 3,
      );
      next += 3 + data.length;
    }
    const copied = copies.flatMap((copy) => {
      checkCopy(copy);
      const from = this.#allocations.of(copy.from);
      const targets = this.#allocations.targetsOf(copy.to);
      return targets.flatMap((to) => [from.memory, from.address, to.memory, to.address, copy.length * 4]);
    });
    const reads = (step.reads ?? []).map((read) => this.#wanted(read));
    const patches = program.prepareStep(step.variables);
    return { begin, end, patches, writes: words, copies: copied, segments: program.segments(begin, end), reads };
  }

  memory(): DeviceMemory {
    return this.#allocations.bytes();
  }

  async dispose(): Promise<void> {
    const ended = this.#pool.end(new DeviceError("disposed", "the wasm device was disposed of"));
    this.#allocations.clear();
    await ended;
  }

  #wanted({ tensor, begin, end }: Read) {
    const { memory, address } = this.#allocations.of(tensor);
    checkRange(tensor, begin, end);
    return { memory, address: address + begin * 4, length: end - begin, type: tensor.type };
  }
}

const isOfDevice = (one: Implementation): one is WasmImplementation => "wasm" in one;

function checkRange(tensor: Tensor, begin: number, end: number): void {
  if (begin >= 0 && begin <= end && end <= tensor.length) return;
  throw new RangeError(`"${tensor.label}" has ${tensor.length} numbers; ${begin}..${end} is not within them`);
}
