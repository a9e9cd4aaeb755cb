// A prepared program: for each call its dispatches (one, or one per piece of a split matrix), each with the pipelines that it may
// use, its bind group, and its Params in the program's arena of uniforms.
//
// A replay writes the step's variables to the arena (at most one upload, none if no variable changed), makes new bind groups for
// tensors that were resized, and encodes the dispatches. Sizes are checked whenever they may have changed, because WebGPU does not
// report a shader that reads beyond a buffer.

import type { Setting, WgslImplementation } from "../../../kernels/index.ts";
import { chosenFor, implementationsIn, type ForRows } from "../choose.ts";
import { DeviceError, type Executable, type Matrix, type Tensor } from "../device.ts";
import type { Call, Program } from "../program.ts";
import { numbersIn } from "../tensor.ts";
import { USAGE } from "./constants.ts";
import type { GpuMatrix, GpuTensor, MatrixPiece } from "./memory.ts";
import type { KernelLayout, ReadyPipelines } from "./pipelines.ts";

/** A compiled implementation, and the rows for which it is used. */
export interface ReadyImplementation extends ForRows<WgslImplementation> {
  readonly pipelines: ReadyPipelines;
}

/** A call with its compiled implementations. */
export interface ReadyCall {
  readonly call: Call;
  readonly setting: Setting;
  /** fewest rows first */
  readonly choices: readonly ReadyImplementation[];
}

/** The origin of a dispatch's buffer. */
type Source = { readonly tensor: GpuTensor } | { readonly piece: MatrixPiece } | undefined;

interface Dispatch {
  readonly ready: ReadyCall;
  /** rows of the matrix that this dispatch is for, if the matrix is split */
  readonly piece: MatrixPiece | undefined;
  readonly sources: readonly Source[];
  /** byte offset of its Params in the arena, as setBindGroup takes it */
  readonly offset: Uint32Array;
  readonly variables: readonly string[];
  readonly bound: (GPUBuffer | undefined)[];
  /** the bind groups of `bound`, by layout */
  readonly groups: Map<KernelLayout, GPUBindGroup>;
  isCurrent: boolean;
  choice: ReadyImplementation | undefined;
  workgroups: readonly number[];
  /** of the choice's second pass; empty without one */
  secondWorkgroups: readonly number[];
}

const maxWorkgroups = 65535;

/** The parts of the device that its programs use. */
export interface ProgramHost {
  readonly device: GPUDevice;
  /** stands in for absent optional buffers */
  readonly absent: GPUBuffer;
  createScratch(length: number): GpuTensor;
  destroyScratch(scratch: GpuTensor): void;
  tensor(tensor: Tensor): GpuTensor;
  matrix(matrix: Matrix): GpuMatrix;
  release(program: GpuProgram): void;
}

/** A prepared program on the GPU. */
export class GpuProgram implements Executable {
  readonly program: Program;
  readonly chosen: readonly (readonly string[])[];
  readonly #host: ProgramHost;
  readonly #dispatches: Dispatch[] = [];
  /** index of the first dispatch of each call, then the count of all dispatches */
  readonly #firstDispatch: number[] = [];
  readonly #values = new Map<string, number>();
  readonly #uniforms: GPUBuffer;
  /** holds what first passes leave for second ones; all calls use it in turn */
  readonly #scratch: GpuTensor | undefined;
  readonly #arena: ArrayBuffer;
  readonly #words: Uint32Array;
  readonly #floats: Float32Array;
  #isUploaded = false;

  constructor(program: Program, calls: readonly ReadyCall[], host: ProgramHost) {
    this.program = program;
    this.chosen = calls.map(({ choices }) => implementationsIn(choices).map(({ name }) => name));
    this.#host = host;
    const stride = host.device.limits.minUniformBufferOffsetAlignment;
    const longest = Math.max(1, ...calls.map(({ call }) => Object.keys(call.kernel.params).length));
    const slot = Math.ceil((longest * 4) / stride) * stride;
    for (const ready of calls) {
      this.#firstDispatch.push(this.#dispatches.length);
      for (const piece of piecesOf(ready.call, host)) {
        const offset = Uint32Array.of(this.#dispatches.length * slot);
        this.#dispatches.push(dispatchOf(ready, piece, offset, host));
      }
    }
    this.#firstDispatch.push(this.#dispatches.length);
    this.#arena = new ArrayBuffer(Math.max(1, this.#dispatches.length) * slot);
    this.#words = new Uint32Array(this.#arena);
    this.#floats = new Float32Array(this.#arena);
    this.#uniforms = host.device.createBuffer({
      label: `${program.label} uniforms`,
      size: this.#arena.byteLength,
      usage: USAGE.uniform | USAGE.copyDst,
    });
    const lengths = calls.flatMap(({ setting, choices }) =>
      choices.map(({ implementation }) => implementation.secondPass?.scratchLength(setting) ?? 0),
    );
    const longestScratch = Math.max(0, ...lengths);
    if (longestScratch > 0) this.#scratch = host.createScratch(longestScratch);
  }

  dispose(): void {
    this.#host.release(this);
  }

  /** Frees its buffers; the program cannot be replayed afterwards. */
  destroy(): void {
    this.#uniforms.destroy();
    if (this.#scratch) this.#host.destroyScratch(this.#scratch);
  }

  /** Applies the step's variables and the current buffers to calls begin..end, and uploads their Params. */
  update(variables: Readonly<Record<string, number>>, begin: number, end: number): void {
    const changed = new Set<string>();
    for (const [name, value] of Object.entries(variables)) {
      if (this.#values.get(name) === value) continue;
      this.#values.set(name, value);
      changed.add(name);
    }
    if (changed.size > 0) {
      for (const one of this.#dispatches) if (one.variables.some((name) => changed.has(name))) one.isCurrent = false;
    }
    for (let i = this.#firstDispatch[begin]!; i < this.#firstDispatch[end]!; i++) {
      const dispatch = this.#dispatches[i]!;
      const missing = dispatch.variables.find((name) => variables[name] === undefined);
      if (missing !== undefined) {
        throw new RangeError(`${dispatch.ready.call.label}: the step gives no value for "${missing}"`);
      }
      this.#refresh(dispatch);
      if (!dispatch.isCurrent) this.#resolve(dispatch, variables);
    }
    if (this.#isUploaded) return;
    this.#host.device.queue.writeBuffer(this.#uniforms, 0, this.#arena);
    this.#isUploaded = true;
  }

  /** Encodes calls begin..end, after `update`. */
  encode(pass: GPUComputePassEncoder, begin: number, end: number): void {
    let current: GPUComputePipeline | undefined;
    const dispatchOne = (pipeline: GPUComputePipeline, workgroups: readonly number[]) => {
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.dispatchWorkgroups(workgroups[0]!, workgroups[1] ?? 1, workgroups[2] ?? 1);
    };
    for (let i = this.#firstDispatch[begin]!; i < this.#firstDispatch[end]!; i++) {
      const dispatch = this.#dispatches[i]!;
      if (!dispatch.choice) continue;
      const { layout, first, second } = dispatch.choice.pipelines;
      pass.setBindGroup(0, this.#groupOf(dispatch, layout), dispatch.offset, 0, 1);
      dispatchOne(first, dispatch.workgroups);
      if (second) dispatchOne(second, dispatch.secondWorkgroups);
    }
  }

  /** Drops the bind groups of a dispatch if one of its buffers was replaced. */
  #refresh(dispatch: Dispatch): void {
    const { sources, bound } = dispatch;
    let isSame = dispatch.groups.size > 0;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i];
      const buffer = source && ("tensor" in source ? this.#host.tensor(source.tensor).buffer : source.piece.buffer);
      if (bound[i] === buffer) continue;
      bound[i] = buffer;
      isSame = false;
    }
    if (isSame) return;
    dispatch.groups.clear();
    dispatch.isCurrent = false;
  }

  #groupOf({ ready, bound, groups }: Dispatch, layout: KernelLayout): GPUBindGroup {
    const known = groups.get(layout);
    if (known) return known;
    const { call } = ready;
    const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer: buffer ?? this.#host.absent } }));
    const params = { buffer: this.#uniforms, offset: 0, size: Math.max(4, Object.keys(call.kernel.params).length * 4) };
    entries.push({ binding: entries.length, resource: params });
    if (layout.hasScratch) entries.push({ binding: entries.length, resource: { buffer: this.#scratch!.buffer } });
    const group = this.#host.device.createBindGroup({ label: call.label, layout: layout.group, entries });
    groups.set(layout, group);
    return group;
  }

  /** Writes the dispatch's Params, and chooses its implementation and workgroups for the rows of the step. */
  #resolve(dispatch: Dispatch, variables: Readonly<Record<string, number>>): void {
    const { call, setting, choices } = dispatch.ready;
    const { kernel, label } = call;
    let params = setting.params;
    if (dispatch.variables.length > 0) {
      const resolved: Record<string, number> = {};
      for (const [name, value] of Object.entries(call.params)) {
        resolved[name] = typeof value === "number" ? value : variables[value.variable]!;
      }
      params = resolved;
    }
    checkSizes(call, params);
    if (dispatch.piece) params = kernel.piece!(params, dispatch.piece.begin, dispatch.piece.end);

    let word = dispatch.offset[0]! / 4;
    for (const [name, type] of Object.entries(kernel.params)) {
      const value = params[name]!;
      if (type === "f32") this.#floats[word] = value;
      else if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) this.#words[word] = value;
      else throw new RangeError(`${label}: ${name} is ${value}; it must be a whole number below 2^32`);
      word++;
    }
    this.#isUploaded = false;

    const rows = params["rows"] ?? 1;
    dispatch.choice = rows === 0 ? undefined : chosenFor(choices, rows);
    if (!dispatch.choice && rows !== 0) {
      throw new DeviceError("failed", `${label}: nothing here computes ${kernel.name} for ${rows} rows`);
    }
    if (dispatch.choice) {
      const { workgroups, secondPass, name } = dispatch.choice.implementation;
      const resolved = { ...setting, params };
      dispatch.workgroups = workgroups(resolved);
      dispatch.secondWorkgroups = secondPass?.workgroups(resolved) ?? [];
      const counts = [...dispatch.workgroups, ...dispatch.secondWorkgroups];
      if (counts.some((count) => count > maxWorkgroups)) {
        const wanted = counts.join(" x ");
        throw new DeviceError(
          "failed",
          `${label}: ${name} wants ${wanted} workgroups, ${maxWorkgroups} a side at most`,
        );
      }
      if (counts.includes(0)) dispatch.choice = undefined;
    }
    dispatch.isCurrent = true;
  }
}

/** The pieces of a call's first matrix, one dispatch each; [undefined] where it is whole. */
function piecesOf(call: Call, host: ProgramHost): readonly (MatrixPiece | undefined)[] {
  const matrices = Object.values(call.buffers).filter((buffer) => buffer !== undefined && "format" in buffer);
  const split = matrices.map((matrix) => host.matrix(matrix as Matrix)).find(({ pieces }) => pieces.length > 1);
  if (!split) return [undefined];
  if (!call.kernel.piece) {
    const counts = `${split.pieces.length} pieces of ${split.byteLength} bytes in all`;
    throw new DeviceError("unfit", `${call.label}: ${call.kernel.name} cannot take "${split.label}" in ${counts}`);
  }
  return split.pieces;
}

function dispatchOf(
  ready: ReadyCall,
  piece: MatrixPiece | undefined,
  offset: Uint32Array,
  host: ProgramHost,
): Dispatch {
  const { call } = ready;
  const sources = Object.entries(call.kernel.buffers).map(([name, use]): Source => {
    const buffer = call.buffers[name];
    if (!buffer) {
      if (use.endsWith("optional")) return undefined;
      throw new DeviceError("failed", `${call.label}: ${call.kernel.name} needs a buffer for ${name}`);
    }
    if (!("format" in buffer)) return { tensor: host.tensor(buffer) };
    const { pieces, label } = host.matrix(buffer);
    const part = piece ? pieces.find(({ begin, end }) => begin === piece.begin && end === piece.end) : pieces[0];
    if (part) return { piece: part };
    const rows = `rows ${piece?.begin}..${piece?.end}`;
    throw new DeviceError("unfit", `${call.label}: "${label}" is not split as its other matrix is (${rows})`);
  });
  const names = Object.values(call.params).flatMap((value) => (typeof value === "number" ? [] : [value.variable]));
  const written = Object.entries(call.kernel.buffers).filter(([, use]) => use.includes("write"));
  for (const [name] of written) {
    const twice = Object.entries(call.buffers).find(
      ([other, buffer]) => other !== name && buffer === call.buffers[name],
    );
    if (!twice) continue;
    const what = `"${twice[1]!.label}" as ${twice[0]} and as ${name}, which it writes`;
    throw new DeviceError("failed", `${call.label}: ${call.kernel.name} is given ${what}; WebGPU needs two tensors`);
  }
  return {
    ready,
    piece,
    sources,
    offset,
    variables: [...new Set(names)],
    bound: sources.map(() => undefined),
    groups: new Map(),
    isCurrent: false,
    choice: undefined,
    workgroups: [],
    secondWorkgroups: [],
  };
}

/** Throws a DeviceError naming a buffer that is too short for the parameters, and both lengths. */
function checkSizes({ kernel, buffers, label }: Call, params: Readonly<Record<string, number>>): void {
  const sizes = kernel.sizes(params);
  for (const name of Object.keys(kernel.buffers)) {
    const buffer = buffers[name];
    if (!buffer) continue;
    const length = numbersIn(buffer);
    const needed = sizes[name]!;
    if (length >= needed) continue;
    throw new DeviceError(
      "failed",
      `${label}: ${kernel.name} needs ${needed} numbers in ${name}; "${buffer.label}" has ${length}`,
    );
  }
}
