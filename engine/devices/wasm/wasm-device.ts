// The device on WebAssembly SIMD. The caller's thread never computes and never waits: it divides up the memory, writes down
// programs and sends orders; a lead worker and its helpers do the rest (crew.ts, lead.ts, assembly/walk.as.ts).
//
//   memory  static data of the kernels | control block | scratch of each thread | tensors, matrices, programs
//
// With `deterministic` the plain modules are used, whose results are the same on every machine; relaxed SIMD rounds as the
// processor likes.

import {
  type CachePacking,
  type Kernel,
  matrixByteLength,
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
import { Allocator } from "./allocator.ts";
import { chooseFor, judge, type Policy, trialsFor } from "./choose.ts";
import { Crew } from "./crew.ts";
import type { Replay } from "./messages.ts";
import { SCRATCH_BYTES, STATIC_BYTES } from "./instance.ts";
import { compileForeign, loadModule } from "./module.ts";
import { fillPanels, type IntakeHost } from "./intake.ts";
import { canShareMemory, defaultThreads, PAGE_BYTES, processorName, type WasmMemory } from "./platform.ts";
import { LIMIT_BYTES, shareMemory } from "./shared-memory.ts";
import type { WasmOptions } from "./wasm-options.ts";
import { always, type Choice, programWords, WasmProgram } from "./wasm-program.ts";

const CONTROL_BYTES = 1024;
/** How long a kernel is replayed after its known-answer test, so that its first real use runs as well-compiled code. */
const WARM_MILLISECONDS = 2;

interface Held {
  address: number;
  byteLength: number;
}

/** Opens the device. Throws a DeviceError when the workers or the memory cannot be had. */
export async function openWasm(options: WasmOptions = {}): Promise<Device> {
  const isShared = options.shareMemory !== false && canShareMemory();
  const threads = isShared ? Math.max(1, Math.floor(options.threads ?? defaultThreads())) : 1;
  const { module, isRelaxed } = await loadModule(isShared, options.deterministic === true);
  const scratch = STATIC_BYTES + CONTROL_BYTES;
  const begin = scratch + threads * SCRATCH_BYTES;
  const pages = Math.ceil(begin / PAGE_BYTES);
  const wanted = Math.min(LIMIT_BYTES, options.maxMemoryBytes ?? LIMIT_BYTES);
  const { memory, limit } = isShared ? shareMemory(pages, wanted) : { memory: undefined, limit: wanted };
  const modules = await Promise.all((options.modules ?? []).map(compileForeign));
  const crew = await Crew.start({ module, modules, memory, pages, threads, control: STATIC_BYTES, scratch });
  const names = [`wasm, ${threads} thread${threads === 1 ? "" : "s"}`, `${isRelaxed ? "relaxed" : "plain"} SIMD`];
  if (!canShareMemory()) names.push("one thread because this page is not cross-origin isolated");
  return new WasmDevice(crew, memory, { begin, end: pages * PAGE_BYTES, limit }, names.join(", "), isRelaxed, {
    ...options,
    threads,
  });
}

class WasmDevice implements Device {
  readonly name = "wasm";
  readonly description: string;
  readonly preferredRows = 192;
  readonly demotions: Demotion[] = [];
  readonly tuning?: MeasuredChoices;
  readonly #crew: Crew;
  readonly #memory: WasmMemory | undefined;
  readonly #allocator: Allocator;
  readonly #features: ReadonlySet<string>;
  readonly #options: WasmOptions;
  readonly #intake: IntakeHost;
  readonly #held = new Map<Tensor | Matrix, Held>();
  readonly #programs = new Set<WasmProgram>();
  /** known-answer tests by implementation and format, passed or under way */
  readonly #tests = new Map<string, Promise<void>>();
  readonly #demoted = new Set<string>();
  /** whether loading weights ahead pays; undefined until measured */
  #isAhead: boolean | undefined;
  #pages: number;

  constructor(
    crew: Crew,
    memory: WasmMemory | undefined,
    range: { readonly begin: number; readonly end: number; readonly limit: number },
    description: string,
    isRelaxed: boolean,
    options: WasmOptions & { readonly threads: number },
  ) {
    this.#crew = crew;
    this.#memory = memory;
    this.#pages = range.end / PAGE_BYTES;
    this.#allocator = new Allocator(range.begin, range.end, range.limit, (end) => this.#grow(end));
    this.description = description;
    if (options.deterministic !== true) {
      const identity = { device: "wasm", processor: processorName(), threads: options.threads, relaxed: isRelaxed };
      this.tuning = new MeasuredChoices(identity, false);
    }
    this.#features = new Set(isRelaxed ? ["relaxed-simd"] : []);
    this.#options = options;
    this.#intake = { crew, memory, allocator: this.#allocator };
  }

  createTensor(label: string, type: "f32" | "u32", length: number, role: TensorRole, packing?: CachePacking): Tensor {
    this.#crew.throwIfEnded();
    const byteLength = length * 4;
    const address = this.#allocator.take(label, byteLength);
    this.#crew.order({ kind: "zero", address, byteLength });
    const tensor: Tensor = { label, type, length, role, packing };
    this.#held.set(tensor, { address, byteLength });
    return tensor;
  }

  resize(tensor: Tensor, length: number): void {
    this.#crew.throwIfEnded();
    const held = this.#heldOf(tensor);
    const from = held.address;
    const before = held.byteLength;
    const byteLength = length * 4;
    const to = this.#allocator.take(tensor.label, byteLength);
    const kept = Math.min(before, byteLength);
    this.#crew.order({ kind: "move", from, to, byteLength: kept, zeros: byteLength - kept });
    this.#allocator.free(from, before);
    Object.assign(held, { address: to, byteLength });
    (tensor as { length: number }).length = length;
    const pairs = [...this.#programs].flatMap((program) => program.moved(tensor, to));
    if (pairs.length > 0) this.#crew.order({ kind: "patch", pairs: Uint32Array.from(pairs) });
  }

  destroy(buffer: Tensor | Matrix): void {
    const held = this.#held.get(buffer);
    if (held === undefined) return;
    this.#held.delete(buffer);
    for (const program of this.#programs) program.destroyed(buffer);
    this.#allocator.free(held.address, held.byteLength);
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    signal?.throwIfAborted();
    this.#crew.throwIfEnded();
    const { label, rows, columns } = source;
    const format = source.quantize ?? source.format;
    const byteLength = matrixByteLength({ rows, columns, format, layout: "panels" });
    const address = this.#allocator.take(label, byteLength);
    try {
      await fillPanels(this.#intake, source, address, signal);
    } catch (error) {
      this.#allocator.free(address, byteLength);
      throw error;
    }
    const matrix: Matrix = { label, rows, columns, format, byteLength };
    this.#held.set(matrix, { address, byteLength });
    return matrix;
  }

  copyMatrix(matrix: Matrix): Matrix {
    const { address: from, byteLength } = this.#heldOf(matrix);
    const to = this.#allocator.take(matrix.label, byteLength);
    this.#crew.order({ kind: "move", from, to, byteLength, zeros: 0 });
    const copy: Matrix = { ...matrix };
    this.#held.set(copy, { address: to, byteLength });
    return copy;
  }

  write({ tensor, data, offset = 0 }: Write): void {
    this.#crew.throwIfEnded();
    const { address } = this.#placeIn(tensor, offset, offset + data.length);
    const copy = data.slice();
    this.#crew.order({ kind: "write", address, data: copy }, [copy.buffer]);
  }

  async read({ tensor, begin, end }: Read): Promise<Float32Array | Uint32Array> {
    const place = this.#placeIn(tensor, begin, end);
    const [array] = await this.#crew.request({ kind: "read", ...place }, () => `reading "${tensor.label}"`);
    return array!;
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
      implementations: this.#options.implementations ?? ((kernel) => kernel.implementations),
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
    const byteLength = programWords(program) * 4;
    const address = this.#allocator.take(program.label, byteLength);
    const executable = new WasmProgram(
      program,
      choices,
      address,
      (kernel) => this.#crew.knownPlaceOf(kernel),
      (self) => {
        if (this.#programs.delete(self)) this.#allocator.free(address, byteLength);
      },
    );
    const words = executable.encode(choices, (buffer) => this.#heldOf(buffer).address);
    this.#crew.order({ kind: "write", address, data: words }, [words.buffer as ArrayBuffer]);
    this.#programs.add(executable);
    return executable;
  }

  async run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    if (!(executable instanceof WasmProgram) || !this.#programs.has(executable)) {
      this.#crew.throwIfEnded();
      throw new DeviceError("failed", `"${executable.program.label}" was not prepared by this device, or disposed of`);
    }
    const { calls } = executable.program;
    const replays: Replay[] = [];
    try {
      for (const step of steps) replays.push(this.#replay(executable, step));
    } catch (error) {
      // the program counts on what its earlier steps were to change
      for (const { pairs } of replays) this.#crew.order({ kind: "patch", pairs });
      throw error;
    }
    const [words] = await this.#crew.request(
      { kind: "run", table: executable.address, steps: replays },
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
    let total = 0;
    for (const { data } of writes) total += 2 + data.length;
    const words = new Uint32Array(total);
    let next = 0;
    for (const { tensor, data, offset = 0 } of writes) {
      words[next++] = this.#placeIn(tensor, offset, offset + data.length).address;
      words[next++] = data.length;
      words.set(data instanceof Uint32Array ? data : new Uint32Array(data.buffer, data.byteOffset, data.length), next);
      next += data.length;
    }
    const placed = copies.flatMap((copy) => {
      checkCopy(copy);
      return [this.#heldOf(copy.from).address, this.#heldOf(copy.to).address, copy.length * 4];
    });
    const reads = (step.reads ?? []).map((read) => this.#placeIn(read.tensor, read.begin, read.end));
    return { begin, end, pairs: program.prepareStep(step.variables), writes: words, copies: placed, reads };
  }

  memory(): DeviceMemory {
    const bytes = { weights: 0, cache: 0, activations: 0 };
    for (const [buffer, { byteLength }] of this.#held) {
      bytes["role" in buffer ? buffer.role : "weights"] += byteLength;
    }
    return bytes;
  }

  dispose(): Promise<void> {
    this.#crew.end(new DeviceError("disposed", "the wasm device was disposed of"));
    this.#held.clear();
    this.#programs.clear();
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
          { kind: "warm", table: executable.address, milliseconds: WARM_MILLISECONDS },
          () => label,
        );
      }
      return reason;
    } finally {
      executable?.dispose();
      for (const buffer of Object.values(buffers)) this.destroy(buffer);
    }
  }

  /** Makes the memory reach `end`; false where the engine refuses. Without sharing, the lead finds out only later. */
  #grow(end: number): boolean {
    const pages = Math.ceil(end / PAGE_BYTES) - this.#pages;
    if (pages <= 0) return true;
    try {
      if (this.#memory) this.#memory.grow(pages);
      else this.#crew.order({ kind: "grow", pages });
    } catch {
      return false;
    }
    this.#pages += pages;
    return true;
  }

  #heldOf(buffer: Tensor | Matrix): Held {
    const held = this.#held.get(buffer);
    if (held === undefined) {
      this.#crew.throwIfEnded();
      throw new DeviceError("failed", `"${buffer.label}" is not of this device, or destroyed`);
    }
    return held;
  }

  #placeIn(tensor: Tensor, begin: number, end: number) {
    const { address } = this.#heldOf(tensor);
    if (begin < 0 || begin > end || end > tensor.length) {
      throw new RangeError(`"${tensor.label}" has ${tensor.length} numbers; ${begin}..${end} is not within them`);
    }
    return { address: address + begin * 4, length: end - begin, type: tensor.type };
  }
}
