// The WebGL device, for browsers that have a GPU but no WebGPU: the recorded program replayed as passes that gpu.js compiles.
//
// Every method uses the context synchronously, so that writes, runs and reads take effect in the order of the calls; only results are
// awaited. See gl-program.ts for replaying, textures.ts for tensors, gpu-js.ts for
// what gpu.js does.

import { webglImplementations } from "../../../kernels/every-on-webgl.ts";
import { UnsupportedError } from "../../../loaders/index.ts";
import { type Implementation, type Kernel, type WebGlImplementation } from "../../../kernels/index.ts";
import {
  checkPrepare,
  checkTensorOptions,
  checkCopy,
  DeviceError,
  type Copy,
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
import { PLAIN_TRAITS } from "../choose.ts";
import type { Program } from "../program.ts";
import { Qualification } from "../qualification.ts";
import type { WebGl } from "./gl.ts";
import { GlProgram, readyCall, type ReadyCall } from "./gl-program.ts";
import { Compiler } from "./gpu-js.ts";
import { findContext, lackOf, release, rendererOf } from "./webgl-probe.ts";
import { finished, stage, type GlRead, type StagedRead } from "./readback.ts";
import { refusalOf } from "./refusal.ts";
import { MAX_TEXELS, rectanglesOf } from "./regions.ts";
import { Textures } from "./textures.ts";

/** The WebGL passes of the registry's kernels; another kernel brings its own. */
const ownImplementations = (kernel: Kernel): readonly Implementation[] =>
  webglImplementations.get(kernel) ?? kernel.implementations;

/** How `openWebGl` opens a device. */
export interface WebGlOptions {
  /** the caller's WebGL2RenderingContext; `dispose` frees only what the device created in it */
  readonly context?: object | undefined;
  /** an upper limit of a texture's width and height below the driver's; for tests of split matrices */
  readonly maxTextureSize?: number | undefined;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: ((kernel: Kernel) => readonly Implementation[]) | undefined;
}

/** Rows of a prefill step. Longer steps are not faster, and each drawing takes longer. */
const PREFERRED_ROWS = 64;
/** Copies a tensor texel by texel. */
const COPY = "function copy(from) { return from[this.thread.x]; }";
const LOST_EVENT = "webglcontextlost";

/**
 * Opens WebGL2 with gpu.js.
 *
 * @throws UnsupportedError outside a browser, in one without WebGL2 or f32 textures to draw to, and where gpu.js is not installed.
 */
export async function openWebGl(options: WebGlOptions = {}): Promise<WebGlDevice> {
  const gl = (options.context as WebGl | undefined) ?? findContext();
  const lack = lackOf(gl);
  if (lack) {
    if (!options.context) release(gl);
    throw new UnsupportedError(`this browser cannot run device "webgl": ${lack}; use device "wasm"`);
  }
  try {
    return new WebGlDevice(gl, await Compiler.open(gl), options);
  } catch (error) {
    if (!options.context) release(gl);
    throw error;
  }
}

/** Programs replayed as passes of WebGL2. Made by `openWebGl`. */
export class WebGlDevice implements Device {
  readonly name = "webgl";
  readonly description: string;
  readonly preferredRows = PREFERRED_ROWS;
  readonly #gl: WebGl;
  readonly #compiler: Compiler;
  readonly #textures: Textures;
  readonly #options: WebGlOptions;
  readonly #programs = new Set<GlProgram>();
  readonly #qualification: Qualification<WebGlImplementation, ReadyCall, GlProgram>;
  #end: DeviceError | undefined;
  readonly #onLost = (): void => {
    this.#end ??= new DeviceError("lost", "the WebGL context is lost: the browser or the driver took it away");
  };

  constructor(gl: WebGl, compiler: Compiler, options: WebGlOptions) {
    this.#gl = gl;
    this.#compiler = compiler;
    this.#options = options;
    this.description = `webgl, ${rendererOf(gl)}`;
    this.#textures = new Textures(gl, () => this.#throwIfEnded(), options.maxTextureSize);
    this.#qualification = new Qualification<WebGlImplementation, ReadyCall, GlProgram>({
      device: this,
      traits: PLAIN_TRAITS,
      isDeterministic: false,
      implementationsOf: (kernel) => this.implementationsOf(kernel),
      compile: (call, implementation) => readyCall(call, implementation, compiler, this.#textures),
      assemble: (one, calls) =>
        this.#assemble(
          one,
          calls.map(([ready]) => ready!.made),
        ),
      explain: (call) => refusalOf(call, this.implementationsOf(call.kernel)),
    });
    gl.canvas.addEventListener(LOST_EVENT, this.#onLost);
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
    this.#throwIfEnded();
    if (packing && packing.format !== "f32") {
      throw new UnsupportedError(`device "webgl" keeps keys and values as f32, not as ${packing.format} ("${label}")`);
    }
    return this.#textures.createTensor(label, type, length, role, packing);
  }

  resize(tensor: Tensor, length: number): void {
    this.#throwIfEnded();
    this.#textures.resize(this.#textures.tensor(tensor), length);
  }

  destroy(thing: Tensor | Matrix): void {
    this.#textures.destroy(thing);
  }

  async createMatrix(source: MatrixSource, signal?: AbortSignal): Promise<Matrix> {
    this.#throwIfEnded();
    return this.#textures.createMatrix(source, signal);
  }

  write({ tensor, data, offset = 0 }: Write): void {
    this.#throwIfEnded();
    const held = this.#textures.tensor(tensor);
    const { length, type, label } = held;
    if (offset < 0 || offset + data.length > length) {
      const range = `${offset}..${offset + data.length}`;
      throw new RangeError(`tensor "${label}" has ${length} numbers; ${range} cannot be written`);
    }
    if (data instanceof Uint32Array !== (type === "u32")) {
      throw new RangeError(`tensor "${label}" holds ${type}; a ${data.constructor.name} cannot be written to it`);
    }
    this.#textures.write(held, data, offset);
  }

  async read(read: Read): Promise<Float32Array | Uint32Array> {
    this.#throwIfEnded();
    const [numbers] = await this.#fetch([stage(this.#gl, this.#textures, this.#checkedRead(read))]);
    return numbers!;
  }

  implementationsOf(kernel: Kernel): readonly WebGlImplementation[] {
    const { implementations = ownImplementations } = this.#options;
    return implementations(kernel).filter(isOfDevice);
  }

  refusal(program: Program): string | null {
    const call = program.calls.find((one) => !this.#qualification.hasFitting(one));
    return call ? refusalOf(call, this.implementationsOf(call.kernel)) : null;
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    checkPrepare(options);
    this.#throwIfEnded();
    return this.#qualification.prepare(program, options);
  }

  async run(executable: Executable, ...steps: readonly Step[]): Promise<(Float32Array | Uint32Array)[]> {
    this.#throwIfEnded();
    const program = executable as GlProgram;
    if (!this.#programs.has(program)) {
      throw new DeviceError(
        "failed",
        `program "${executable.program.label}" is disposed, or belongs to another device`,
      );
    }
    const staged = steps.flatMap((step) => {
      const { variables, writes = [], copies = [], reads = [], begin = 0, end = program.program.calls.length } = step;
      const checked = reads.map((read) => this.#checkedRead(read));
      for (const write of writes) this.write(write);
      for (const copy of copies) this.#copy(copy);
      program.draw(variables, begin, end);
      return checked.map((read) => stage(this.#gl, this.#textures, read));
    });
    return this.#fetch(staged);
  }

  memory(): DeviceMemory {
    return this.#textures.count();
  }

  async dispose(): Promise<void> {
    this.#gl.canvas.removeEventListener(LOST_EVENT, this.#onLost);
    this.#end = new DeviceError("disposed", "the device is disposed");
    this.#programs.clear();
    this.#textures.destroyAll();
    this.#compiler.destroy();
    if (!this.#options.context) release(this.#gl);
  }

  #throwIfEnded(): void {
    if (!this.#end && this.#gl.isContextLost()) this.#onLost();
    if (this.#end) throw this.#end;
  }

  /** Copies the first numbers of a tensor to another, whose other numbers stay. */
  #copy(copy: Copy): void {
    checkCopy(copy);
    const [from, to] = [this.#textures.tensor(copy.from), this.#textures.tensor(copy.to)];
    const pass = { writes: "to", source: COPY };
    const compiled = this.#compiler.compile("copy", pass, {}, { from: "texture" }, this.#textures.absent);
    compiled.draw(to.held, [from.held], MAX_TEXELS, rectanglesOf(0, copy.length, to.held.size[0]));
    if (to.words) to.unknown = Math.max(to.unknown, copy.length);
  }

  /** Resolves with the numbers of staged reads. */
  async #fetch(staged: readonly StagedRead[]): Promise<(Float32Array | Uint32Array)[]> {
    try {
      await finished(this.#gl);
    } catch (error) {
      this.#throwIfEnded();
      throw error;
    }
    this.#throwIfEnded();
    return staged.map((read) => read.take());
  }

  #checkedRead({ tensor, begin, end }: Read): GlRead {
    const held = this.#textures.tensor(tensor);
    if (begin < 0 || end < begin || end > held.length) {
      throw new RangeError(`tensor "${held.label}" has ${held.length} numbers; ${begin}..${end} cannot be read`);
    }
    return { tensor: held, begin, end };
  }

  #assemble(program: Program, calls: readonly ReadyCall[]): GlProgram {
    this.#throwIfEnded();
    const made = new GlProgram(program, calls, this.#textures, (one) => void this.#programs.delete(one));
    this.#programs.add(made);
    return made;
  }
}

/** On WebGL a call has one implementation for all counts of rows. */
const isOfDevice = (one: Implementation): one is WebGlImplementation => "webgl" in one && one.rows === undefined;
