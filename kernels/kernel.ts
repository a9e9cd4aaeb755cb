// A kernel is data: its buffers in binding order, its parameters, how large each buffer must be, and a reference in
// f64 that *is* the definition. Implementations are data too, one file each: those for wasm are part of the definition, those
// for the other devices stand in the maps of first-on-gpu.ts and every-on-webgl.ts, which only these devices load. Devices
// never mention a particular kernel: they replay calls of any kernel by the conventions written here.
//
// Conventions for implementations
//   WGSL  a shader is written without its bindings: the device prepends an array for each buffer and the uniform `params`, with
//         the names of the definition in snake_case. An absent optional buffer is bound to a small dummy: the shader learns of
//         it through an override that the implementation sets in `constants`.
//   wasm  the exported function (call, thread: i32, threads: i32): void finds at `call` one 4-byte word per buffer (its
//         address, 0 when absent), then one per parameter, in order: in AssemblyScript an object of the class that the build
//         generates in kernels/calls/. Every thread runs it; each does its share.
//   WebGL a list of passes, each a JavaScript function as text (files *.gl.js) that gpu.js makes a fragment shader of. A texture
//         keeps four consecutive numbers a texel: x[i] is texel i of buffer x, and what the function returns is the texel that
//         its thread stands for. See WebGlPass.
//   A buffer that a call writes is bound only once in that call: WebGPU forbids reading and writing one buffer in a dispatch.
//   A matrix arrives packed by `kernels/matrix`, in the layout of the device ("rows" on WebGPU and WebGL, "panels" on wasm).
//   A cache [slots, 2, kvHeads, headDim], by the parameters of these names, is packed by `kernels/cache`, in one format for all
//   caches of a call; `sizes` counts its numbers. References see them as numbers, and round what they write as the format does.

import type { CacheFormat } from "./cache/cache.ts";
import type { Cost, CostSetting } from "./cost.ts";
import type { MatrixFormat } from "./matrix/matrix.ts";

/**
 * How a kernel uses a buffer. f32 unless it says u32; `optional` ones may be absent; a `matrix` holds packed weights, a `cache`
 * keys and values packed as `kernels/cache` says.
 */
export type BufferUse =
  | "read"
  | "read optional"
  | "read u32"
  | "write"
  | "write u32"
  | "read-write"
  | "matrix"
  | "matrix optional"
  | "cache"
  | "cache optional"
  | "cache read-write";

/** The type of a scalar parameter. */
export type ParamType = "u32" | "f32";

/** Numbers that a reference can read and write: f64 on the reference device, f32 elsewhere. */
export type Floats = Float64Array | Float32Array;

type ArrayFor<Use extends BufferUse> = Use extends `${string} u32`
  ? Uint32Array
  : Use extends `${string} optional`
    ? Floats | undefined
    : Floats;

/** Contents of buffers by name. */
export type Inputs = Readonly<Record<string, Floats | Uint32Array | undefined>>;

/** One number per parameter. */
export type ParamsOf<P extends Record<string, ParamType>> = { readonly [K in keyof P]: number };
/** One array per buffer; matrices are dense and row-major here, caches are numbers. */
export type ArraysOf<B extends Record<string, BufferUse>> = { readonly [K in keyof B]: ArrayFor<B[K]> };

/** The facts of a call and a device by which an implementation decides whether it fits and with which constants. */
export interface Setting {
  readonly params: Readonly<Record<string, number>>;
  /** the optional buffers that are present */
  readonly present: ReadonlySet<string>;
  /** format of each matrix and cache */
  readonly formats: Readonly<Record<string, MatrixFormat | CacheFormat>>;
  /** "f16", "subgroups", "packed_4x8_integer_dot_product" (WebGPU), "relaxed-simd" (wasm) */
  readonly features: ReadonlySet<string>;
  /** most lanes of a subgroup, 0 without subgroups; shaders may be given fewer, down to `minSubgroupSize` */
  readonly subgroupSize: number;
  /** `subgroupSize` where it is left out */
  readonly minSubgroupSize?: number;
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupBytes: number;
}

interface ImplementationBase {
  /** named like its file: `linear.subgroups`; it appears in warnings, benches and tuning */
  readonly name: string;
  /** features without which it cannot run */
  readonly requires: readonly string[];
  /** for which counts of `params.rows` it is meant; both ends included */
  readonly rows?: { readonly min?: number; readonly max?: number };
  /** formats of the (first) matrix or cache that it takes; all when absent */
  readonly formats?: readonly (MatrixFormat | CacheFormat)[];
  /** adapters on which it is expected to be fast; on others it is the default only if nothing else fits */
  readonly suits?: "software" | "hardware";
  /** any other condition, on everything but `rows` */
  readonly fits?: (setting: Setting) => boolean;
  /** its result differs from the plain implementation's by more than rounding, or from run to run; `deterministic` leaves it out */
  readonly isApproximate?: boolean;
  /** its bound where that is wider than its kernel's; docs/numerics.md says why */
  readonly bound?: (params: Readonly<Record<string, number>>) => Bound;
}

/** A compute shader; several entries may share one file with different constants. */
export interface WgslImplementation extends ImplementationBase {
  /** the shader without its bindings, which the device prepends; its entry point is `main`. A function loads it on first use */
  readonly wgsl: string | (() => Promise<string>);
  /** WGSL types of the elements of buffers: u32 for matrices, caches and u32 buffers, f32 for others, unless named here */
  readonly elements?: Readonly<Record<string, string>> | undefined;
  /** values of the shader's `override`s; must not depend on `rows` (a value makes a pipeline) */
  readonly constants?: (setting: Setting) => Readonly<Record<string, number | boolean>>;
  /** workgroups to dispatch, [x, y, z]; `rows` is the actual count here */
  readonly workgroups: (setting: Setting) => readonly number[];
  readonly secondPass?: SecondPass;
}

/**
 * A second dispatch that finishes what the first left in `scratch`, an array<vec4<f32>> that the device
 * declares too. Both are entry points of one shader with one set of constants.
 */
export interface SecondPass {
  readonly entryPoint: string;
  readonly workgroups: (setting: Setting) => readonly number[];
  /** f32 numbers of `scratch`, for as many rows as the implementation is meant for; must not depend on `rows` */
  readonly scratchLength: (setting: Setting) => number;
}

/** A function exported from the kernels' WebAssembly module. */
export interface WasmImplementation extends ImplementationBase {
  readonly wasm: string;
  /** prefetches: used only where that was measured to be faster */
  readonly isPrefetching?: boolean;
}

/** A function in JavaScript that passes call, with the types that gpu.js is to give it. */
export interface WebGlFunction {
  readonly source: string;
  /** one for each argument; Float is the type of every result */
  readonly types: readonly ("Float" | "Integer")[];
}

/** Numbers first..end of a buffer, which a pass writes. */
export interface WebGlRegion {
  readonly begin: number;
  readonly end: number;
  /** value of the argument `shift`: the distance from the line that is written to the line that is read */
  readonly shift?: number;
}

/**
 * One drawing: the text of `function name(…) { … return [a, b, c, d]; }`. Its arguments are found by their names: buffers and
 * temporaries (an absent one is a texel of zeros), `<buffer>Bits` (its integers taken for the bits of f32), parameters, numbers
 * of the plan, `shift`. `this.constants` are the call's fixed parameters and what `constants` adds.
 */
export interface WebGlPass {
  /** the buffer or temporary written */
  readonly writes: string;
  readonly source: string;
  readonly functions?: readonly WebGlFunction[];
  /** of this pass alone */
  readonly constants?: (setting: Setting) => Readonly<Record<string, number>>;
  /** texels in a line: `this.thread.x` counts within it and `this.thread.y` lines; without it `this.thread.x` counts all texels */
  readonly line?: (numbers: Readonly<Record<string, number>>) => number;
  /** buffers read number by number: gpu.js computes in f32, which counts to 2^24 */
  readonly numbered?: readonly string[];
}

/** What the host computes for a run, from its parameters and from the integers that it wrote into buffers itself. */
export interface WebGlPlan {
  readonly numbers?: Readonly<Record<string, number>>;
  /** texels of textures that live as long as the call */
  readonly temporaries?: Readonly<Record<string, number>>;
  /** the written parts of each buffer; by default all of the buffer, as `sizes` says */
  readonly regions?: Readonly<Record<string, readonly WebGlRegion[]>>;
}

/** Passes drawn one after the other. None may read what it writes. */
export interface WebGlImplementation extends ImplementationBase {
  readonly webgl: readonly WebGlPass[];
  readonly constants?: (setting: Setting) => Readonly<Record<string, number>>;
  /** the numbers of the plan that passes take as arguments */
  readonly numbers?: Readonly<Record<string, "Integer" | "Float">>;
  readonly plan?: (
    params: Readonly<Record<string, number>>,
    words: (buffer: string) => Uint32Array,
    present: ReadonlySet<string>,
  ) => WebGlPlan;
}

/** An implementation for one of the devices. */
export type Implementation = WgslImplementation | WasmImplementation | WebGlImplementation;

/** The largest allowed error of a result: |got - want| <= absolute + relative |want|. */
export interface Bound {
  readonly absolute: number;
  readonly relative: number;
}

/** A source of repeatable inputs for tests, benches and self-tests. */
export interface Random {
  /** standard normal */
  normal(): number;
  /** integer in [0, below) */
  integer(below: number): number;
}

/** The numbers 0 .. count - 1 in a random order (Fisher and Yates). */
export function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** What `defineKernel` takes: B are the buffers, P the parameters, by name. */
export interface KernelDefinition<B extends Record<string, BufferUse>, P extends Record<string, ParamType>> {
  readonly name: string;
  /** in binding order */
  readonly buffers: B;
  readonly params: P;
  /** elements of each buffer, absent ones included; for a matrix rows x columns */
  readonly sizes: (params: ParamsOf<P>) => { readonly [K in keyof B]: number };
  /** [rows, columns] of each matrix */
  readonly matrices?: (params: ParamsOf<P>) => Readonly<Record<string, readonly [number, number]>>;
  /** the parameters of the call that handles matrix rows begin..end only, for matrices split over several buffers */
  readonly piece?: (params: ParamsOf<P>, begin: number, end: number) => ParamsOf<P>;
  /** the definition, in plain loops; what it writes to a cache it rounds to `cacheFormat`, f32 by default */
  readonly reference: (buffers: ArraysOf<B>, params: ParamsOf<P>, cacheFormat?: CacheFormat) => void;
  readonly bound: (params: ParamsOf<P>) => Bound;
  /** operations and bytes of a call (cost.ts); `inputs` are the contents of its lists. costs.ts has those of the registry's kernels */
  readonly cost?: (params: ParamsOf<P>, setting: CostSetting, inputs?: Inputs) => Cost;
  /** inputs that must be more than random numbers (indices, lists); the rest is filled with normal values */
  readonly inputs?: (params: ParamsOf<P>, random: Random) => Partial<Record<keyof B & string, Floats | Uint32Array>>;
  /** small settings for the known-answer test at start; `absent` names optional buffers left out */
  readonly samples: readonly Sample<ParamsOf<P>, keyof B & string>[];
  /** best first; of the kernels in the registry those for wasm, of others and of those that pages load on demand those for any device */
  readonly implementations: readonly Implementation[];
}

/** One setting of a kernel to try it in. */
export interface Sample<Params = Readonly<Record<string, number>>, Name extends string = string> {
  readonly params: Params;
  readonly absent?: readonly Name[];
}

/** A sample of a certain kernel: `SampleOf<typeof linear>`. */
export type SampleOf<K extends { readonly params: object; readonly buffers: object }> = Sample<
  { readonly [Name in keyof K["params"]]: number },
  keyof K["buffers"] & string
>;

/** A kernel as devices, tests and benches see it: the definition with its types widened. */
export interface Kernel {
  readonly name: string;
  readonly buffers: Readonly<Record<string, BufferUse>>;
  readonly params: Readonly<Record<string, ParamType>>;
  sizes(params: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
  matrices?(params: Readonly<Record<string, number>>): Readonly<Record<string, readonly [number, number]>>;
  piece?(params: Readonly<Record<string, number>>, begin: number, end: number): Readonly<Record<string, number>>;
  reference(
    buffers: Readonly<Record<string, Floats | Uint32Array | undefined>>,
    params: Readonly<Record<string, number>>,
    cacheFormat?: CacheFormat,
  ): void;
  bound(params: Readonly<Record<string, number>>): Bound;
  cost?(params: Readonly<Record<string, number>>, setting: CostSetting, inputs?: Inputs): Cost;
  inputs?(
    params: Readonly<Record<string, number>>,
    random: Random,
  ): Readonly<Partial<Record<string, Floats | Uint32Array>>>;
  readonly samples: readonly Sample[];
  /** best first; of the kernels in the registry those for wasm, of others and of those that pages load on demand those for any device */
  readonly implementations: readonly Implementation[];
}

/** A kernel that keeps the names of its buffers and parameters, so that calls to it are checked. */
export type TypedKernel<B extends Record<string, BufferUse>, P extends Record<string, ParamType>> = Kernel & {
  readonly buffers: B;
  readonly params: P;
};

/** Declares a kernel; the types of `reference` follow from `buffers` and `params`. */
export function defineKernel<const B extends Record<string, BufferUse>, const P extends Record<string, ParamType>>(
  definition: KernelDefinition<B, P>,
): TypedKernel<B, P> {
  return definition as unknown as TypedKernel<B, P>;
}

/** The bound that an implementation of a kernel is held to; the kernel's own without an implementation. */
export function boundOf(
  kernel: Kernel,
  implementation: Implementation | undefined,
  params: Readonly<Record<string, number>>,
): Bound {
  return implementation?.bound?.(params) ?? kernel.bound(params);
}

/** The bound of a sum of `n` products of terms of size `scale`, computed in f32. */
export function sumBound(n: number, scale = 1): Bound {
  return { absolute: 1e-6 * Math.sqrt(n) * scale, relative: 1e-5 };
}

/** The bound of an elementwise f32 result. */
export const elementwise: Bound = { absolute: 1e-6, relative: 1e-6 };
/** The bound of a copy. */
export const exact: Bound = { absolute: 0, relative: 0 };
