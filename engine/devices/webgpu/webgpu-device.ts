// The WebGPU device: Dawn in Node (the optional package `webgpu`), the browser's own elsewhere, or the caller's GPUDevice.
//
// Everything that touches the queue happens synchronously when a method is called, so that writes, runs and reads take
// effect in the order of the calls; only outcomes are awaited. See gpu-program.ts for replaying, choose.ts for which
// implementation, memory.ts for buffers, faults.ts for errors.

import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import { UnsupportedError } from "../../../loaders/index.ts";
import {
  boundOf,
  type CachePacking,
  compare,
  type Implementation,
  type Kernel,
  type Trial,
  type WgslImplementation,
} from "../../../kernels/index.ts";
import { implementationsIn, type RowChoices } from "../choose.ts";
import {
  checkCopy,
  DeviceError,
  type Demotion,
  type Device,
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
import type { Call, Program } from "../program.ts";
import { fillTrial } from "../trial-buffers.ts";
import { chooseFor, isOfDevice, settingOf, trialsFor, type Policy, type Traits } from "./choose.ts";
import { BUFFER_STEP, USAGE } from "./constants.ts";
import { deviceErrorOf, Faults } from "./faults.ts";
import { GpuClock } from "./gpu-clock.ts";
import { GpuProgram, type ProgramHost, type ReadyCall } from "./gpu-program.ts";
import { DeviceBuffers } from "./memory.ts";
import { CompileError, Pipelines } from "./pipelines.ts";
import {
  factsOf,
  findAdapter,
  identityOf,
  languageFeatures,
  LIMITS,
  PACKED_DOT,
  type AdapterFacts,
  type AdapterOptions,
} from "./probe.ts";
import { Staging, type GpuRead, type StagedReads } from "./staging.ts";
import { untilAborted, waitFor } from "./wait.ts";

/** The WGSL of the registry's kernels; another kernel brings its own. */
const ownImplementations = (kernel: Kernel): readonly Implementation[] =>
  gpuImplementations.get(kernel) ?? kernel.implementations;

/** How `openWebGpu` opens a device. */
export interface WebGpuOptions extends AdapterOptions {
  /** a GPUDevice of the caller's, who keeps it: `dispose` frees only what was made here */
  readonly device?: GPUDevice;
  /** false refuses an adapter that computes on the CPU; true by default */
  readonly allowSoftware?: boolean;
  /** only implementations with a fixed order of summation */
  readonly deterministic?: boolean;
  /** bindings are taken to be no larger than this, whatever the adapter offers; for tests of split matrices */
  readonly maxBindingBytes?: number;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: (kernel: Kernel) => readonly Implementation[];
}

const unknownAdapter = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: false };
const wantedFeatures = ["subgroups", "shader-f16", "timestamp-query"] as const;

/**
 * Opens a WebGPU device with all that its adapter offers.
 *
 * @throws UnsupportedError where there is no adapter, or only a software one and `allowSoftware` is false.
 */
export async function openWebGpu(options: WebGpuOptions = {}): Promise<WebGpuDevice> {
  const { device, allowSoftware = true } = options;
  const opened = device ?? (await requestDevice(options));
  // older browsers do not say which adapter a device is on
  const facts = factsOf(
    opened.adapterInfo ?? unknownAdapter,
    opened.features,
    opened.limits,
    await languageFeatures(options),
  );
  if (facts.isSoftware && !allowSoftware) {
    if (!device) opened.destroy();
    throw new UnsupportedError(`the only GPU adapter is ${facts.description}: use device "wasm"`);
  }
  return new WebGpuDevice(opened, facts, options);
}

async function requestDevice(options: AdapterOptions): Promise<GPUDevice> {
  const adapter = await findAdapter(options);
  const known = adapter.limits as unknown as Readonly<Record<string, number>>;
  return adapter.requestDevice({
    label: "kedge",
    requiredFeatures: wantedFeatures.filter((name) => adapter.features.has(name)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, known[limit]!])),
  });
}

function traitsOf({ features, subgroupSizes, limits }: AdapterFacts): Traits {
  const names = new Set<string>();
  if (features.includes("shader-f16")) names.add("f16");
  for (const name of ["subgroups", PACKED_DOT]) if (features.includes(name)) names.add(name);
  return {
    features: names,
    subgroupSize: subgroupSizes[1],
    minSubgroupSize: subgroupSizes[0],
    maxWorkgroupSize: limits["maxComputeInvocationsPerWorkgroup"]!,
    maxWorkgroupBytes: limits["maxComputeWorkgroupStorageSize"]!,
  };
}

/** Programs replayed as WebGPU command buffers. Made by `openWebGpu`. */
export class WebGpuDevice implements Device {
  readonly name = "webgpu";
  readonly description: string;
  readonly preferredRows: number;
  readonly demotions: Demotion[] = [];
  readonly facts: AdapterFacts;
  readonly tuning?: MeasuredChoices;
  readonly #device: GPUDevice;
  readonly #options: WebGpuOptions;
  readonly #traits: Traits;
  readonly #faults = new Faults();
  readonly #buffers: DeviceBuffers;
  readonly #pipelines: Pipelines;
  readonly #staging: Staging;
  readonly #host: ProgramHost;
  readonly #programs = new Set<GpuProgram>();
  readonly #clock: GpuClock | undefined;
  readonly timeRun?: NonNullable<Device["timeRun"]>;
  readonly #demoted = new Set<Implementation>();
  /** known-answer tests so far: what is wrong with an implementation, or null */
  readonly #verdicts = new Map<WgslImplementation, Promise<string | null>>();
  readonly #onError = (event: GPUUncapturedErrorEvent): void => {
    this.#faults.report(deviceErrorOf(event.error, "the GPU reports an error"));
  };

  constructor(device: GPUDevice, facts: AdapterFacts, options: WebGpuOptions) {
    this.#device = device;
    this.#options = options;
    this.facts = facts;
    const [fewest, most] = facts.subgroupSizes;
    const subgroups = most === 0 ? "no subgroups" : `subgroups of ${fewest === most ? most : `${fewest} to ${most}`}`;
    this.description = `webgpu, ${facts.description}, ${subgroups}`;
    this.preferredRows = facts.isSoftware ? 128 : 512;
    if (options.deterministic !== true) this.tuning = new MeasuredChoices(identityOf(facts), !facts.isSoftware);
    this.#traits = traitsOf(facts);
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    const limit = Math.min(maxStorageBufferBindingSize, maxBufferSize, options.maxBindingBytes ?? Infinity);
    this.#buffers = new DeviceBuffers(device, this.#faults, Math.floor(limit / BUFFER_STEP) * BUFFER_STEP);
    this.#pipelines = new Pipelines(device, this.#faults);
    this.#staging = new Staging(device);
    if (device.features.has("timestamp-query")) {
      const clock = (this.#clock = new GpuClock(device));
      const submit = (executable: Executable, step: Step, writes: GPUComputePassTimestampWrites) =>
        this.#submit(this.#runnable(executable), step, undefined, writes);
      this.timeRun = (executable, step) =>
        this.#faults.guard(() => clock.time((writes) => submit(executable, step, writes)));
    }
    this.#host = {
      device,
      absent: device.createBuffer({ label: "absent", size: BUFFER_STEP, usage: USAGE.storage }),
      createScratch: (length) => this.#buffers.createTensor("scratch", "f32", length, "activations"),
      destroyScratch: (scratch) => {
        this.#buffers.destroy(scratch);
      },
      tensor: (tensor) => this.#buffers.held(tensor),
      matrix: (matrix) => this.#buffers.heldMatrix(matrix),
      release: (program) => {
        if (this.#programs.delete(program)) program.destroy();
      },
    };
    device.addEventListener("uncapturederror", this.#onError);
    void device.lost.then(({ reason, message }) => {
      const why = message.trim() || (reason === "destroyed" ? "it was destroyed" : "the driver gives no reason");
      this.#faults.end(new DeviceError("lost", `the GPU device is lost: ${why}`));
    });
  }

  createTensor(label: string, type: "f32" | "u32", length: number, role: TensorRole, packing?: CachePacking): Tensor {
    this.#faults.throwIfEnded();
    return this.#buffers.createTensor(label, type, length, role, packing);
  }

  resize(tensor: Tensor, length: number): void {
    this.#faults.throwIfEnded();
    this.#buffers.resize(this.#buffers.held(tensor), length);
  }

  destroy(thing: Tensor | Matrix): void {
    this.#buffers.destroy(thing);
  }

  createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    return this.#faults.guard(() => this.#buffers.createMatrix(source, signal));
  }

  copyMatrix(matrix: Matrix): Matrix {
    this.#faults.throwIfEnded();
    return this.#buffers.copyMatrix(this.#buffers.heldMatrix(matrix));
  }

  write({ tensor, data, offset = 0 }: Write): void {
    this.#faults.throwIfEnded();
    const { buffer, length, type, label } = this.#buffers.held(tensor);
    if (offset < 0 || offset + data.length > length) {
      const range = `${offset}..${offset + data.length}`;
      throw new RangeError(`tensor "${label}" has ${length} numbers; ${range} cannot be written`);
    }
    if (data instanceof Uint32Array !== (type === "u32")) {
      throw new RangeError(`tensor "${label}" holds ${type}; a ${data.constructor.name} cannot be written to it`);
    }
    this.#device.queue.writeBuffer(buffer, offset * 4, data as Float32Array<ArrayBuffer>);
  }

  async read(read: Read): Promise<Float32Array | Uint32Array> {
    const fetched = await this.#faults.guard(async () => {
      const staged = this.#staging.stage([this.#checkedRead(read)]);
      const encoder = this.#device.createCommandEncoder();
      staged.encode(encoder, 1);
      this.#device.queue.submit([encoder.finish()]);
      return staged.fetch();
    });
    return fetched[0]!;
  }

  implementationsOf(kernel: Kernel): readonly WgslImplementation[] {
    const { implementations = ownImplementations } = this.#options;
    return implementations(kernel).filter(isOfDevice);
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    return this.#faults.guard(() => this.#prepare(program, options, options.isTested ?? true));
  }

  run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    return this.#faults.guard(async () => {
      const program = this.#runnable(executable);
      const reads = steps.flatMap((step) => (step.reads ?? []).map((read) => this.#checkedRead(read)));
      const staged = reads.length > 0 ? this.#staging.stage(reads) : undefined;
      try {
        for (const step of steps) this.#submit(program, step, staged);
      } catch (error) {
        staged?.drop();
        throw error;
      }
      if (staged) return staged.fetch();
      await waitFor(this.#device.queue.onSubmittedWorkDone());
      return [];
    });
  }

  /** The program, if it is this device's and all that it needs is there. */
  #runnable(executable: Executable): GpuProgram {
    const program = executable as GpuProgram;
    if (!this.#programs.has(program)) {
      throw new DeviceError(
        "failed",
        `program "${executable.program.label}" is disposed, or belongs to another device`,
      );
    }
    this.#buffers.throwIfRoomless();
    return program;
  }

  /** One step: one command buffer, submitted. */
  #submit(
    program: GpuProgram,
    step: Step,
    staged: StagedReads | undefined,
    timestampWrites?: GPUComputePassTimestampWrites,
  ): void {
    const { variables, writes = [], copies = [], reads = [], begin = 0, end = program.program.calls.length } = step;
    for (const write of writes) this.write(write);
    program.update(variables, begin, end);
    const encoder = this.#device.createCommandEncoder({ label: program.program.label });
    for (const copy of copies) {
      checkCopy(copy);
      const [from, to] = [this.#buffers.held(copy.from), this.#buffers.held(copy.to)];
      encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 0, copy.length * 4);
    }
    const { label } = program.program;
    const pass = encoder.beginComputePass(timestampWrites ? { label, timestampWrites } : { label });
    program.encode(pass, begin, end);
    pass.end();
    staged?.encode(encoder, reads.length);
    this.#device.queue.submit([encoder.finish()]);
  }

  memory(): DeviceMemory {
    return this.#buffers.count();
  }

  async dispose(): Promise<void> {
    this.#device.removeEventListener("uncapturederror", this.#onError);
    this.#faults.end(new DeviceError("disposed", "the device is disposed"));
    for (const program of this.#programs) program.destroy();
    this.#programs.clear();
    this.#buffers.destroyAll();
    this.#staging.destroy();
    this.#clock?.destroy();
    this.#host.absent.destroy();
    if (!this.#options.device) this.#device.destroy();
  }

  #checkedRead({ tensor, begin, end }: Read): GpuRead {
    const held = this.#buffers.held(tensor);
    if (begin < 0 || end < begin || end > held.length) {
      throw new RangeError(`tensor "${held.label}" has ${held.length} numbers; ${begin}..${end} cannot be read`);
    }
    return { tensor: held, begin, end };
  }

  /** Chooses until everything chosen has passed its known-answer test and compiled; each round demotes or ends. */
  async #prepare(
    program: Program,
    { only, signal, onProgress, isTuned = true }: PrepareOptions,
    isTested: boolean,
  ): Promise<GpuProgram> {
    const policy: Policy = {
      traits: this.#traits,
      isSoftware: this.facts.isSoftware,
      isDeterministic: this.#options.deterministic ?? false,
      implementations: (kernel) => this.implementationsOf(kernel),
      isDemoted: (one) => this.#demoted.has(one),
      only,
      measured: isTuned ? this.tuning : undefined,
    };
    for (;;) {
      signal?.throwIfAborted();
      const choices = program.calls.map((call) => this.#choose(call, policy));
      const used = new Map<WgslImplementation, Kernel>();
      for (const [i, call] of program.calls.entries()) {
        for (const one of implementationsIn(choices[i]!)) used.set(one, call.kernel);
      }
      let done = 0;
      const total = choices.reduce((sum, ones) => sum + ones.length, isTested ? used.size : 0);
      const tick = () => onProgress?.(++done, total);
      const untested = isTested ? [...used] : [];
      const tested = untested.map(async ([one, kernel]) => {
        const wrong = await this.#verdict(kernel, one);
        tick();
        return wrong === null;
      });
      const ready = program.calls.map((call, i) => this.#ready(call, choices[i]!, tick));
      const [passed, calls] = await untilAborted(Promise.all([Promise.all(tested), Promise.all(ready)]), signal);
      signal?.throwIfAborted();
      this.#faults.throwIfEnded();
      if (passed.includes(false) || calls.includes(null)) continue;
      const made = new GpuProgram(program, calls as ReadyCall[], this.#host);
      this.#programs.add(made);
      return made;
    }
  }

  #choose(call: Call, policy: Policy): RowChoices<WgslImplementation> {
    const chosen = chooseFor(call, policy);
    if (chosen.length > 0) return chosen;
    const demoted = this.demotions.filter(({ implementation }) => implementation.startsWith(call.kernel.name));
    const reasons = demoted.map(({ implementation, reason }) => `; ${implementation} is not used: ${reason}`).join("");
    throw new DeviceError("unfit", `${call.label}: no implementation of ${call.kernel.name} fits here${reasons}`);
  }

  /** The call with its pipelines; null if one does not compile, which demotes it. */
  async #ready(call: Call, choices: RowChoices<WgslImplementation>, tick: () => void): Promise<ReadyCall | null> {
    const setting = settingOf(call, this.#traits);
    const pipelines = choices.map(async ({ implementation: one }) => {
      try {
        return await this.#pipelines.get(call.kernel, one, one.constants?.(setting) ?? {});
      } catch (error) {
        if (!(error instanceof CompileError)) throw error;
        this.#demote(one, error.message);
        return null;
      } finally {
        tick();
      }
    });
    const made = await Promise.all(pipelines);
    if (made.includes(null)) return null;
    return { call, setting, choices: choices.map((choice, i) => ({ ...choice, pipelines: made[i]! })) };
  }

  #demote(implementation: WgslImplementation, reason: string): void {
    if (this.#demoted.has(implementation)) return;
    this.#demoted.add(implementation);
    this.demotions.push({ implementation: implementation.name, reason });
    console.warn(`kedge: ${implementation.name} is wrong on ${this.facts.description} and is not used: ${reason}`);
  }

  #verdict(kernel: Kernel, implementation: WgslImplementation): Promise<string | null> {
    let verdict = this.#verdicts.get(implementation);
    if (!verdict) {
      verdict = this.#try(kernel, implementation).then(
        (wrong) => {
          if (wrong !== null) this.#demote(implementation, wrong);
          return wrong;
        },
        (error: unknown) => {
          this.#verdicts.delete(implementation); // no verdict, such as for want of memory: it is tried again
          throw error;
        },
      );
      this.#verdicts.set(implementation, verdict);
    }
    return verdict;
  }

  /** The known-answer test: what is wrong with the implementation's results, or null. */
  async #try(kernel: Kernel, implementation: WgslImplementation): Promise<string | null> {
    const trials = trialsFor(kernel, implementation, this.#traits);
    const outcomes = trials.map((trial) => this.#runTrial(trial, implementation));
    return (await Promise.all(outcomes)).find((wrong) => wrong !== null) ?? null;
  }

  async #runTrial(trial: Trial, implementation: WgslImplementation): Promise<string | null> {
    const { kernel, params } = trial;
    const buffers: Record<string, Tensor | Matrix> = {};
    let executable: GpuProgram | undefined;
    try {
      const reads = await fillTrial(this, `trial of ${implementation.name}`, trial, buffers);
      const call = { kernel, label: `trial.${kernel.name}`, buffers, params };
      const ready = await this.#ready(call, [{ implementation, begin: 0, end: Infinity }], () => undefined);
      if (!ready) return this.demotions.at(-1)!.reason;
      executable = new GpuProgram({ label: call.label, calls: [call] }, [ready], this.#host);
      this.#programs.add(executable);
      const read = await this.run(executable, { variables: {}, reads: Object.values(reads) });
      const got = Object.fromEntries(Object.keys(reads).map((name, i) => [name, read[i]!]));
      const wrong = compare(trial, got, boundOf(kernel, implementation, params));
      if (!wrong) return null;
      return `${wrong.buffer}[${wrong.index}] of its known-answer test is ${wrong.got}, not ${wrong.want}`;
    } finally {
      executable?.dispose();
      for (const buffer of Object.values(buffers)) this.destroy(buffer);
    }
  }
}
