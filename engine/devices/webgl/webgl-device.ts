// The WebGL device, for browsers that have a GPU but no WebGPU: the recorded program replayed as passes that gpu.js compiles.
//
// Everything that touches the context happens synchronously when a method is called, so that writes, runs and reads take effect
// in the order of the calls; only outcomes are awaited. See gl-program.ts for replaying, textures.ts for tensors, gpu-js.ts for
// what gpu.js does.

import { webglImplementations } from "../../../kernels/every-on-webgl.ts";
import { UnsupportedError } from "../../../loaders/index.ts";
import {
  boundOf,
  compare,
  type CachePacking,
  type Implementation,
  type Kernel,
  type Trial,
  type WebGlImplementation,
} from "../../../kernels/index.ts";
import {
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
  type TensorRole,
  type Write,
} from "../device.ts";
import type { Call, Program } from "../program.ts";
import { chooseFor, isOfDevice, refusalOf, trialsFor } from "./choose.ts";
import type { WebGl } from "./gl.ts";
import { GlProgram } from "./gl-program.ts";
import { CompileError, Compiler } from "./gpu-js.ts";
import { findContext, lackOf, release, rendererOf } from "./probe.ts";
import { finished, stage, type GlRead, type StagedRead } from "./readback.ts";
import { MAX_TEXELS, rectanglesOf } from "./regions.ts";
import { Textures } from "./textures.ts";

/** The WebGL passes of the registry's kernels; another kernel brings its own. */
const ownImplementations = (kernel: Kernel): readonly Implementation[] =>
  webglImplementations.get(kernel) ?? kernel.implementations;

/** How `openWebGl` opens a device. */
export interface WebGlOptions {
  /** a WebGL2RenderingContext of the caller's, who keeps it: `dispose` frees only what was made here */
  readonly context?: object;
  /** textures are taken to be no wider or higher than this, whatever the driver offers; for tests of split matrices */
  readonly maxTextureSize?: number;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: (kernel: Kernel) => readonly Implementation[];
}

/** Rows of a prefill step: longer steps only make single drawings longer. */
const PREFERRED_ROWS = 64;
/** Texel by texel from one tensor to another. */
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
  readonly demotions: Demotion[] = [];
  readonly #gl: WebGl;
  readonly #compiler: Compiler;
  readonly #textures: Textures;
  readonly #options: WebGlOptions;
  readonly #programs = new Set<GlProgram>();
  readonly #demoted = new Set<WebGlImplementation>();
  readonly #passed = new Set<WebGlImplementation>();
  /** known-answer tests are made one after the other */
  #testing: Promise<unknown> = Promise.resolve();
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
    gl.canvas.addEventListener(LOST_EVENT, this.#onLost);
  }

  createTensor(label: string, type: "f32" | "u32", length: number, role: TensorRole, packing?: CachePacking): Tensor {
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
    for (const call of program.calls) {
      const own = this.implementationsOf(call.kernel);
      if (!chooseFor(call, own, (one) => !this.#demoted.has(one))) return refusalOf(call, own);
    }
    return null;
  }

  async prepare(program: Program, options: PrepareOptions = {}): Promise<Executable> {
    this.#throwIfEnded();
    return this.#prepare(program, options, true);
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

  /** The first numbers of a tensor to another; no others of its texels. */
  #copy(copy: Copy): void {
    checkCopy(copy);
    const [from, to] = [this.#textures.tensor(copy.from), this.#textures.tensor(copy.to)];
    const pass = { writes: "to", source: COPY };
    const compiled = this.#compiler.compile("copy", pass, {}, { from: "texture" }, this.#textures.absent);
    compiled.draw(to.held, [from.held], MAX_TEXELS, rectanglesOf(0, copy.length, to.held.size[0]));
    if (to.words) to.unknown = Math.max(to.unknown, copy.length);
  }

  /** Gives staged reads when they are there. */
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

  /** Chooses until everything chosen has passed its known-answer test and compiles; each round demotes one or ends. */
  async #prepare(program: Program, options: PrepareOptions, isTested: boolean): Promise<GlProgram> {
    const { only, signal, onProgress } = options;
    for (;;) {
      const chosen = program.calls.map((call) => this.#choose(call, only));
      const made = new GlProgram(program, chosen, this.#textures, (one) => void this.#programs.delete(one));
      let hasDemoted = false;
      for (const [i, call] of program.calls.entries()) {
        signal?.throwIfAborted();
        const one = chosen[i]!;
        if (isTested && !this.#passed.has(one) && !this.#demoted.has(one)) await this.#test(call.kernel, one);
        this.#throwIfEnded();
        if (!this.#demoted.has(one)) this.#addCall(made, call, one);
        hasDemoted ||= this.#demoted.has(one);
        onProgress?.(i + 1, program.calls.length);
      }
      if (hasDemoted) continue;
      this.#programs.add(made);
      return made;
    }
  }

  #choose(call: Call, only: PrepareOptions["only"]): WebGlImplementation {
    const own = this.implementationsOf(call.kernel);
    const chosen = chooseFor(call, own, (one) => !this.#demoted.has(one) && (only?.(call, one) ?? true));
    if (chosen) return chosen;
    const demoted = this.demotions.filter(({ implementation }) => implementation.startsWith(call.kernel.name));
    const reasons = demoted.map(({ implementation, reason }) => `; ${implementation} is not used: ${reason}`).join("");
    throw new DeviceError("unfit", `device "webgl" cannot run this: ${refusalOf(call, own)}${reasons}`);
  }

  #addCall(program: GlProgram, call: Call, implementation: WebGlImplementation): void {
    try {
      program.addCall(call, implementation, this.#compiler);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      this.#demote(implementation, error.message);
    }
  }

  #demote(implementation: WebGlImplementation, reason: string): void {
    if (this.#demoted.has(implementation)) return;
    this.#demoted.add(implementation);
    this.demotions.push({ implementation: implementation.name, reason });
    console.warn(`kedge: ${implementation.name} is wrong on ${this.description} and is not used: ${reason}`);
  }

  /** The known-answer test of an implementation, once; wrong ones are demoted. */
  async #test(kernel: Kernel, implementation: WebGlImplementation): Promise<void> {
    const test = this.#testing.then(async () => {
      if (this.#passed.has(implementation) || this.#demoted.has(implementation)) return;
      for (const trial of trialsFor(kernel, implementation)) {
        const wrong = await this.#runTrial(trial, implementation);
        if (wrong !== null) this.#demote(implementation, wrong);
        if (wrong !== null) return;
      }
      this.#passed.add(implementation);
    });
    this.#testing = test.catch(() => undefined);
    await test;
  }

  async #runTrial(trial: Trial, implementation: WebGlImplementation): Promise<string | null> {
    const { kernel, arrays, matrices, packings, params, wanted } = trial;
    const buffers: Record<string, Tensor | Matrix> = {};
    let executable: GlProgram | undefined;
    try {
      for (const [name, data] of Object.entries(arrays)) {
        const type = data instanceof Uint32Array ? "u32" : "f32";
        const tensor = this.createTensor(`trial.${name}`, type, data.length, "activations", packings[name]);
        buffers[name] = tensor;
        this.write({ tensor, data });
      }
      for (const [name, { bytes, ...shape }] of Object.entries(matrices)) {
        const rowBytes = bytes.byteLength / shape.rows;
        const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes));
        buffers[name] = await this.createMatrix({ label: `trial.${name}`, ...shape, read });
      }
      const label = `trial.${kernel.name}`;
      const program = { label, calls: [{ kernel, label, buffers, params }] };
      executable = new GlProgram(program, [implementation], this.#textures, (one) => void this.#programs.delete(one));
      try {
        executable.addCall(program.calls[0]!, implementation, this.#compiler);
      } catch (error) {
        if (error instanceof CompileError) return error.message;
        throw error;
      }
      this.#programs.add(executable);
      const names = Object.keys(wanted);
      const reads = names.map((name) => {
        const tensor = buffers[name] as Tensor;
        return { tensor, begin: 0, end: tensor.length };
      });
      const read = await this.run(executable, { variables: {}, reads });
      const got = Object.fromEntries(names.map((name, i) => [name, read[i]!]));
      const wrong = compare(trial, got, boundOf(kernel, implementation, params));
      if (!wrong) return null;
      return `${wrong.buffer}[${wrong.index}] of its known-answer test is ${wrong.got}, not ${wrong.want}`;
    } finally {
      executable?.dispose();
      for (const buffer of Object.values(buffers)) this.destroy(buffer);
    }
  }
}
