// The device on WebAssembly SIMD. The caller's thread never computes and never waits: it divides up the memories (memories.ts,
// holdings.ts), writes down programs and sends orders; a lead worker and its helpers do the rest (crew.ts, lead.ts,
// assembly/walk.as.ts).
//
// With `deterministic` the plain modules are used, whose results are the same on every machine; relaxed SIMD rounds as the
// processor likes.

import {
  type CachePacking,
  type Kernel,
  type MatrixFormat,
  type Trial,
  type WasmImplementation,
} from "../../../kernels/index.ts";
import { formatOf, implementationsIn } from "../choose.ts";
import {
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
  type TensorRole,
  type Write,
} from "../device.ts";
import { MeasuredChoices } from "../measured-choices.ts";
import type { Program } from "../program.ts";
import { fillTrial } from "../trial-buffers.ts";
import { isSecondWorth, streamOf } from "./ahead.ts";
import { chooseFor, isOfDevice, judge, type Policy, trialsFor } from "./choose.ts";
import { Crew } from "./crew.ts";
import { Holdings } from "./holdings.ts";
import type { Replay } from "./messages.ts";
import { SCRATCH_BYTES, STATIC_BYTES } from "./instance.ts";
import { compileForeign, loadModule } from "./module.ts";
import { takeIn } from "./intake.ts";
import { firstMemory, Memories } from "./memories.ts";
import { canShareMemory, defaultThreads, PAGE_BYTES, processorName } from "./platform.ts";
import { LIMIT_BYTES } from "./shared-memory.ts";
import type { WasmOptions } from "./wasm-options.ts";
import { always, type Choice, WasmProgram } from "./wasm-program.ts";

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
  const crew = await Crew.start({ module, modules, memory, pages, threads, control: STATIC_BYTES, scratch });
  const names = [`wasm, ${threads} thread${threads === 1 ? "" : "s"}`, `${isRelaxed ? "relaxed" : "plain"} SIMD`];
  if (!canShareMemory()) names.push("one thread because this page is not cross-origin isolated");
  const memories = new Memories(crew, plan, first);
  return new WasmDevice(crew, memories, names.join(", "), isRelaxed, { ...options, threads });
}

class WasmDevice implements Device {
  readonly name = "wasm";
  readonly description: string;
  readonly preferredRows = 192;
  readonly demotions: Demotion[] = [];
  readonly tuning?: MeasuredChoices;
  readonly #crew: Crew;
  readonly #memories: Memories;
  readonly #holdings: Holdings;
  readonly #features: ReadonlySet<string>;
  readonly #options: WasmOptions;
  /** known-answer tests by implementation and format, passed or under way */
  readonly #tests = new Map<string, Promise<void>>();
  readonly #demoted = new Set<string>();
  /** whether loading weights ahead pays; undefined until measured */
  #isAhead: boolean | undefined;

  constructor(
    crew: Crew,
    memories: Memories,
    description: string,
    isRelaxed: boolean,
    options: WasmOptions & { readonly threads: number },
  ) {
    this.#crew = crew;
    this.#memories = memories;
    this.#holdings = new Holdings(crew, memories);
    this.description = description;
    if (options.deterministic !== true) {
      const identity = { device: "wasm", processor: processorName(), threads: options.threads, relaxed: isRelaxed };
      this.tuning = new MeasuredChoices(identity, false);
    }
    this.#features = new Set(isRelaxed ? ["relaxed-simd"] : []);
    this.#options = options;
  }

  createTensor(
    label: string,
    type: "f32" | "u32",
    length: number,
    role: TensorRole,
    packing?: CachePacking,
    near?: Tensor | Matrix,
  ): Tensor {
    this.#crew.throwIfEnded();
    const tensor: Tensor = { label, type, length, role, packing };
    this.#holdings.addTensor(tensor, near);
    return tensor;
  }

  resize(tensor: Tensor, length: number): void {
    this.#crew.throwIfEnded();
    this.#holdings.resize(tensor, length);
  }

  destroy(buffer: Tensor | Matrix): void {
    this.#holdings.destroy(buffer);
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    signal?.throwIfAborted();
    this.#crew.throwIfEnded();
    const place = await takeIn({ crew: this.#crew, memories: this.#memories }, source, signal);
    const { label, rows, columns } = source;
    const matrix: Matrix = { label, rows, columns, format: place.format, byteLength: place.byteLength };
    this.#holdings.addMatrix(matrix, place);
    return matrix;
  }

  copyMatrix(matrix: Matrix): Matrix {
    return this.#holdings.copyMatrix(matrix);
  }

  write({ tensor, data, offset = 0 }: Write): void {
    this.#crew.throwIfEnded();
    checkRange(tensor, offset, offset + data.length);
    for (const { memory, address } of this.#holdings.targetsOf(tensor)) {
      const copy = data.slice();
      this.#crew.order({ kind: "write", memory, address: address + offset * 4, data: copy }, [copy.buffer]);
    }
  }

  async read(read: Read): Promise<Float32Array | Uint32Array> {
    const wanted = this.#wanted(read);
    const [array] = await this.#crew.request({ kind: "read", ...wanted }, () => `reading "${read.tensor.label}"`);
    return array!;
  }

  implementationsOf(kernel: Kernel): readonly WasmImplementation[] {
    const { implementations = ({ implementations: own }) => own } = this.#options;
    return implementations(kernel).filter(isOfDevice);
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    const { isTested = true } = options;
    const isAhead = isTested && (await this.#isWorthAhead(program, options.signal));
    const choices = await this.#choose(program, this.#policy(isAhead, options), options);
    return this.#encode(program, choices);
  }

  #policy(isAhead: boolean, { only, isTuned = true }: PrepareOptions): Policy {
    return {
      features: this.#features,
      isDeterministic: this.#options.deterministic === true,
      implementations: (kernel) => this.implementationsOf(kernel),
      isDemoted: ({ name }) => this.#demoted.has(name),
      isAhead,
      only,
      measured: isTuned ? this.tuning : undefined,
    };
  }

  /** Whether loading weights ahead pays: measured once, with the first program that reads enough of them. */
  async #isWorthAhead(program: Program, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#options.deterministic === true || this.#isAhead !== undefined) return this.#isAhead ?? false;
    const stream = streamOf(program, (...tensor) => this.createTensor(...tensor));
    if (stream === undefined) return false;
    const ways: WasmProgram[] = [];
    try {
      for (const isAhead of [false, true]) {
        const choices = await this.#choose(
          stream.program,
          this.#policy(isAhead, { isTuned: false }),
          signal ? { signal } : {},
        );
        ways.push(this.#encode(stream.program, choices));
      }
      const run = (way: WasmProgram) => () => this.run(way, { variables: {} });
      this.#isAhead = await isSecondWorth([run(ways[0]!), run(ways[1]!)]);
      return this.#isAhead;
    } finally {
      for (const way of ways) way.dispose();
      for (const tensor of stream.tensors) this.destroy(tensor);
    }
  }

  /** The implementations of each call, all right on this machine. */
  async #choose(
    program: Program,
    policy: Policy,
    { signal, onProgress, isTested = true }: PrepareOptions = {},
  ): Promise<Choice[]> {
    const choices: Choice[] = [];
    for (const [i, call] of program.calls.entries()) {
      signal?.throwIfAborted();
      for (;;) {
        const choice = chooseFor(call, policy);
        if (choice.length === 0) {
          const why = this.demotions.map(({ implementation, reason }) => `; ${implementation} was demoted: ${reason}`);
          throw new DeviceError(
            "unfit",
            `${call.label}: no implementation of ${call.kernel.name} is left${why.join("")}`,
          );
        }
        const used = implementationsIn(choice);
        if (isTested) for (const one of used) await this.#ensureRight(call.kernel, one, formatOf(call));
        if (used.every((one) => !policy.isDemoted(one))) {
          choices.push(choice);
          break;
        }
      }
      onProgress?.(i + 1, program.calls.length);
    }
    return choices;
  }

  #encode(program: Program, choices: readonly Choice[]): WasmProgram {
    this.#crew.throwIfEnded();
    const executable = new WasmProgram(program, choices, (self) => this.#holdings.removeProgram(self));
    this.#holdings.addProgram(executable);
    return executable;
  }

  async run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    if (!(executable instanceof WasmProgram) || !this.#holdings.hasProgram(executable)) {
      this.#crew.throwIfEnded();
      throw new DeviceError("failed", `"${executable.program.label}" was not prepared by this device, or disposed of`);
    }
    this.#holdings.ensurePlaced(executable);
    const { calls } = executable.program;
    const replays: Replay[] = [];
    try {
      for (const step of steps) replays.push(this.#replay(executable, step));
    } catch (error) {
      // the program counts on what its earlier steps were to change
      for (const { patches } of replays) this.#crew.order({ kind: "patch", patches });
      throw error;
    }
    const [words] = await this.#crew.request(
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

  /** A step as the lead makes it: places in memory instead of tensors. */
  #replay(program: WasmProgram, step: Step): Replay {
    const { calls, label } = program.program;
    const { begin = 0, end = calls.length, writes = [], copies = [] } = step;
    if (begin < 0 || end > calls.length) throw new RangeError(`${label}: calls ${begin}..${end} of ${calls.length}`);
    const placed = writes.flatMap(({ tensor, data, offset = 0 }) => {
      checkRange(tensor, offset, offset + data.length);
      return this.#holdings
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
      const from = this.#holdings.of(copy.from);
      const targets = this.#holdings.targetsOf(copy.to);
      return targets.flatMap((to) => [from.memory, from.address, to.memory, to.address, copy.length * 4]);
    });
    const reads = (step.reads ?? []).map((read) => this.#wanted(read));
    const patches = program.prepareStep(step.variables);
    return { begin, end, patches, writes: words, copies: copied, stations: program.stations(begin, end), reads };
  }

  memory(): DeviceMemory {
    return this.#holdings.bytes();
  }

  dispose(): Promise<void> {
    this.#crew.end(new DeviceError("disposed", "the wasm device was disposed of"));
    this.#holdings.clear();
    return Promise.resolve();
  }

  /** Runs the known-answer test of an implementation unless it was run; demotes it if its answer is wrong. */
  #ensureRight(kernel: Kernel, implementation: WasmImplementation, format: MatrixFormat | undefined): Promise<void> {
    const key = `${kernel.name} ${implementation.name} ${format}`;
    const known = this.#tests.get(key);
    if (known) return known;
    const test = this.#test(kernel, implementation, format).then((reason) => {
      if (reason === null || this.#demoted.has(implementation.name)) return;
      this.#demoted.add(implementation.name);
      this.demotions.push({ implementation: implementation.name, reason });
      console.warn(`wasm: ${implementation.name} gives wrong answers here and is not used: ${reason}`);
    });
    this.#tests.set(key, test);
    return test;
  }

  /** Why an implementation is wrong, null if it is right. */
  async #test(kernel: Kernel, one: WasmImplementation, format: MatrixFormat | undefined): Promise<string | null> {
    if (this.#crew.placeOf(one.wasm) === undefined) return `the module has no function ${one.wasm}`;
    for (const trial of trialsFor(kernel, one, format)) {
      const reason = await this.#try(trial, one);
      if (reason !== null) return reason;
    }
    return null;
  }

  /** Runs one trial, and if it is passed warms the kernel up. */
  async #try(trial: Trial, one: WasmImplementation): Promise<string | null> {
    const buffers: Record<string, Tensor | Matrix> = {};
    const label = `known-answer test of ${one.name}`;
    let executable: WasmProgram | undefined;
    try {
      const reads = await fillTrial(this, label, trial, buffers);
      const { kernel, params } = trial;
      executable = this.#encode({ label, calls: [{ kernel, label, buffers, params }] }, [always(one)]);
      const arrays = await this.run(executable, { variables: {}, reads: Object.values(reads) });
      const got = Object.fromEntries(Object.keys(reads).map((name, i) => [name, arrays[i]!]));
      const reason = judge(trial, one, got);
      if (reason === null) {
        await this.#crew.request(
          { kind: "warm", table: executable.table, milliseconds: WARM_MILLISECONDS },
          () => label,
        );
      }
      return reason;
    } finally {
      executable?.dispose();
      for (const buffer of Object.values(buffers)) this.destroy(buffer);
    }
  }

  #wanted({ tensor, begin, end }: Read) {
    const { memory, address } = this.#holdings.of(tensor);
    checkRange(tensor, begin, end);
    return { memory, address: address + begin * 4, length: end - begin, type: tensor.type };
  }
}

function checkRange(tensor: Tensor, begin: number, end: number): void {
  if (begin >= 0 && begin <= end && end <= tensor.length) return;
  throw new RangeError(`"${tensor.label}" has ${tensor.length} numbers; ${begin}..${end} is not within them`);
}
