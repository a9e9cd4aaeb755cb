// The WebGPU device: Dawn in Node (the optional package `webgpu`), the browser's own elsewhere, or the caller's GPUDevice.
//
// Every method does its work on the queue synchronously, so writes, runs and reads take effect in the order of the calls; only
// results are awaited. gpu-program.ts replays programs, ../qualification.ts chooses implementations, memory.ts has the buffers,
// faults.ts the errors.

import { firstGpuImplementations } from "../../../kernels/first-on-gpu.ts";
import { UnsupportedError, untilAborted } from "../../../loaders/index.ts";
import { type Implementation, type Kernel, type WgslImplementation } from "../../../kernels/index.ts";
import {
  checkPrepare,
  checkTensorOptions,
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
  type TensorOptions,
  type TensorRole,
  type Write,
} from "../device.ts";
import { settingOf, type Traits } from "../choose.ts";
import { MeasuredChoices } from "../measured-choices.ts";
import type { Program } from "../program.ts";
import { Qualification, type Ready } from "../qualification.ts";
import { BUFFER_STEP, USAGE } from "./constants.ts";
import { deviceErrorOf, Faults } from "./faults.ts";
import { GpuClock } from "./gpu-clock.ts";
import { GpuProgram, type ProgramHost } from "./gpu-program.ts";
import { DeviceBuffers } from "./memory.ts";
import { Pipelines, type ReadyPipelines } from "./pipelines.ts";
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
import { waitFor } from "./wait.ts";

/** The WGSL of the registry's kernels; another kernel brings its own. */
const ownImplementations = (kernel: Kernel): readonly Implementation[] =>
  firstGpuImplementations.get(kernel) ?? kernel.implementations;

/** How `openWebGpu` opens a device. */
export interface WebGpuOptions extends AdapterOptions {
  /** the caller's own GPUDevice; `dispose` frees what was made on it, and leaves it open */
  readonly device?: GPUDevice | undefined;
  /** false refuses an adapter that computes on the CPU; true by default */
  readonly allowSoftware?: boolean | undefined;
  /** only implementations with a fixed order of summation */
  readonly deterministic?: boolean | undefined;
  /** an upper limit for bindings below that of the adapter; for tests of split matrices */
  readonly maxBindingBytes?: number | undefined;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: ((kernel: Kernel) => readonly Implementation[]) | undefined;
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
  readonly isDeterministic: boolean;
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
  readonly #qualification: Qualification<WgslImplementation, ReadyPipelines, GpuProgram>;
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
    this.isDeterministic = options.deterministic === true;
    if (!this.isDeterministic) this.tuning = new MeasuredChoices(identityOf(facts), !facts.isSoftware);
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
    this.#qualification = new Qualification<WgslImplementation, ReadyPipelines, GpuProgram>({
      device: this,
      traits: this.#traits,
      isDeterministic: this.isDeterministic,
      isParallel: true,
      implementationsOf: (kernel) => this.implementationsOf(kernel),
      compile: (call, one) => {
        const constants = one.constants?.(settingOf(call, this.#traits)) ?? {};
        return this.#pipelines.get(call.kernel, one, constants);
      },
      assemble: (program, calls) => this.#assemble(program, calls),
    });
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
    const { packing } = options;
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
    checkPrepare(options);
    const { isSoftware } = this.facts;
    const rank = ({ suits }: WgslImplementation) => Number(suits === (isSoftware ? "hardware" : "software"));
    this.#faults.throwIfEnded();
    const preparing = this.#qualification.prepare(program, { ...options, rank });
    try {
      return await this.#faults.guard(() => untilAborted(preparing, options.signal));
    } catch (error) {
      preparing.then((late) => late.dispose()).catch(() => undefined);
      throw error;
    }
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

  /** Checks that the program is this device's and that its buffers exist. */
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

  /** Submits one step as one command buffer. */
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

  #assemble(program: Program, calls: readonly (readonly Ready<WgslImplementation, ReadyPipelines>[])[]): GpuProgram {
    this.#faults.throwIfEnded();
    const ready = program.calls.map((call, i) => ({
      call,
      setting: settingOf(call, this.#traits),
      choices: calls[i]!.map(({ made, ...choice }) => ({ ...choice, pipelines: made })),
    }));
    const made = new GpuProgram(program, ready, this.#host);
    this.#programs.add(made);
    return made;
  }
}

const isOfDevice = (one: Implementation): one is WgslImplementation => "wgsl" in one;
