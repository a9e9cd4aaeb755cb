// A prepared program: the compiled passes of each call. A replay computes where each pass draws, from the step's variables and from the
// integers that the host wrote, and draws the passes in order.

import type { WebGlImplementation, WebGlPass, WebGlPlan } from "../../../kernels/index.ts";
import { PLAIN_TRAITS, settingOf } from "../choose.ts";
import { DeviceError, type Executable } from "../device.ts";
import { resolveParams, type Call, type Program } from "../program.ts";
import { numbersIn } from "../tensor.ts";
import { argumentsOf, constantsOf, type CompiledPass, type Compiler, type PassArgument } from "./gpu-js.ts";
import { MAX_TEXELS, rectanglesOf, TEXEL } from "./regions.ts";
import type { GlMatrix, GlTensor, MatrixPiece, TextureArgument, Textures } from "./textures.ts";

interface ReadyPass {
  readonly pass: WebGlPass;
  readonly compiled: CompiledPass;
}
/** A call whose passes are compiled. */
export interface ReadyCall {
  readonly call: Call;
  readonly implementation: WebGlImplementation;
  readonly passes: readonly ReadyPass[];
  readonly present: ReadonlySet<string>;
  /** the pieces of its matrices, which are split alike; [undefined] where they are whole */
  readonly pieces: readonly (MatrixPiece | undefined)[];
}

/** A program whose passes are compiled. */
export class GlProgram implements Executable {
  readonly program: Program;
  readonly chosen: readonly (readonly string[])[];
  readonly #textures: Textures;
  readonly #calls: readonly ReadyCall[];
  readonly #release: (program: GlProgram) => void;

  constructor(
    program: Program,
    calls: readonly ReadyCall[],
    textures: Textures,
    release: (program: GlProgram) => void,
  ) {
    this.program = program;
    this.chosen = calls.map(({ implementation: { name } }) => [name]);
    this.#calls = calls;
    this.#textures = textures;
    this.#release = release;
  }

  dispose(): void {
    this.#release(this);
  }

  /** Draws calls begin..end. */
  draw(variables: Readonly<Record<string, number>>, begin: number, end: number): void {
    for (let i = begin; i < end; i++) {
      const ready = this.#calls[i]!;
      const params = resolveParams(ready.call, variables);
      if (params["rows"] === 0) continue;
      const { kernel } = ready.call;
      checkSizes(ready.call, kernel.sizes(params));
      for (const piece of ready.pieces) {
        this.#drawCall(ready, piece ? kernel.piece!(params, piece.begin, piece.end) : params, piece);
      }
    }
  }

  #drawCall(
    { call, implementation, passes, present }: ReadyCall,
    params: Readonly<Record<string, number>>,
    piece: MatrixPiece | undefined,
  ): void {
    const words = (name: string) => this.#textures.wordsOf(this.#tensorOf(call, name));
    const {
      numbers = {},
      temporaries = {},
      regions = {},
    }: WebGlPlan = implementation.plan?.(params, words, present) ?? {};
    const sizes = call.kernel.sizes(params);
    const held = (name: string): TextureArgument => {
      const texels = temporaries[name];
      if (texels !== undefined) return this.#textures.temporary(name, texels);
      const buffer = call.buffers[name.replace(/Bits$/, "")];
      if (buffer === undefined) return this.#textures.absent;
      if (!("format" in buffer)) {
        const tensor = this.#textures.tensor(buffer);
        return name in call.buffers ? tensor.held : this.#textures.bitsOf(tensor);
      }
      const { pieces } = this.#textures.matrix(buffer);
      return (piece ? pieces.find(({ begin }) => begin === piece.begin) : pieces[0])!.held;
    };
    // all temporaries are created before the first pass draws, so that none is deleted between the pass that writes it and the one that reads it
    for (const name of Object.keys(temporaries)) held(name);
    for (const { pass, compiled } of passes) {
      const all = { ...params, ...numbers };
      checkNumbered(call, pass, sizes);
      const target = held(pass.writes);
      const length = pass.writes in temporaries ? temporaries[pass.writes]! * TEXEL : sizes[pass.writes]!;
      const line = pass.line?.(all) ?? MAX_TEXELS;
      for (const region of regions[pass.writes] ?? [{ begin: 0, end: length }]) {
        const values = compiled.names.map((name): PassArgument => {
          if (name === "shift") return region.shift ?? 0;
          return all[name] ?? held(name);
        });
        if (!(pass.writes in temporaries)) this.#markUnknown(call, pass.writes, region.end);
        compiled.draw(target, values, line, rectanglesOf(region.begin, region.end, target.size[0]));
      }
    }
  }

  #tensorOf(call: Call, name: string): GlTensor {
    return this.#textures.tensor(call.buffers[name] as GlTensor);
  }

  /** Marks integers that a pass writes: the host's copy of them is out of date. */
  #markUnknown(call: Call, name: string, end: number): void {
    const tensor = this.#tensorOf(call, name);
    if (tensor.words) tensor.unknown = Math.max(tensor.unknown, end);
  }
}

/** Compiles the passes of a call. Throws a CompileError where they do not compile, a DeviceError where they do not fit the call. */
export function readyCall(
  call: Call,
  implementation: WebGlImplementation,
  compiler: Compiler,
  textures: Textures,
): ReadyCall {
  const setting = settingOf(call, PLAIN_TRAITS);
  const passes = implementation.webgl.map((pass): ReadyPass => {
    const fixed: Readonly<Record<string, number>> = {
      ...setting.params,
      ...implementation.constants?.(setting),
      ...pass.constants?.(setting),
    };
    const sources = [pass.source, ...(pass.functions ?? []).map(({ source }) => source)];
    const constants = Object.fromEntries(
      constantsOf(sources).map((name) => {
        const value = fixed[name];
        if (value === undefined || Number.isNaN(value)) {
          throw new DeviceError("unfit", `${call.label}: ${implementation.name} wants ${name} to be fixed`);
        }
        return [name, { value, type: call.kernel.params[name] === "f32" ? "Float" : "Integer" } as const];
      }),
    );
    const kinds = Object.fromEntries(
      argumentsOf(pass.source).map((name) => [name, kindOf(name, call, implementation)]),
    );
    return { pass, compiled: compiler.compile(implementation.name, pass, constants, kinds, textures.absent) };
  });
  const pieces = piecesOf(call, textures);
  return { call, implementation, passes, present: setting.present, pieces };
}

/** The pieces of a call's matrices, which must be split alike; [undefined] where they are whole. */
function piecesOf(call: Call, textures: Textures): readonly (MatrixPiece | undefined)[] {
  const matrices = Object.values(call.buffers).flatMap((buffer) =>
    buffer !== undefined && "format" in buffer ? [textures.matrix(buffer)] : [],
  );
  const split = matrices.find(({ pieces }) => pieces.length > 1);
  if (!split) return [undefined];
  const isAlike = (other: GlMatrix) =>
    other.pieces.length === split.pieces.length &&
    other.pieces.every(({ begin }, i) => begin === split.pieces[i]!.begin);
  const odd = matrices.find((other) => !isAlike(other));
  if (!call.kernel.piece || odd) {
    const counts = `${split.pieces.length} pieces of ${split.rows} rows`;
    throw new DeviceError("unfit", `${call.label}: ${call.kernel.name} cannot take "${split.label}" in ${counts}`);
  }
  return split.pieces;
}

/** The kind of an argument: a number from the parameters or the plan, or the texture of a buffer or temporary. */
function kindOf(name: string, { kernel }: Call, { numbers }: WebGlImplementation): "texture" | "Integer" | "Float" {
  if (name === "shift") return "Integer";
  const type = kernel.params[name];
  if (type !== undefined) return type === "f32" ? "Float" : "Integer";
  return numbers?.[name] ?? "texture";
}

/** Throws a DeviceError naming a buffer that is too short for the parameters, and both lengths. */
function checkSizes({ kernel, buffers, label }: Call, sizes: Readonly<Record<string, number>>): void {
  for (const name of Object.keys(kernel.buffers)) {
    const buffer = buffers[name];
    if (!buffer || "format" in buffer || numbersIn(buffer) >= sizes[name]!) continue;
    throw new DeviceError(
      "failed",
      `${label}: ${kernel.name} needs ${sizes[name]} numbers in ${name}; "${buffer.label}" has ${numbersIn(buffer)}`,
    );
  }
}

/** Throws a DeviceError for a buffer whose numbers a pass cannot count. */
function checkNumbered({ kernel, label }: Call, pass: WebGlPass, sizes: Readonly<Record<string, number>>): void {
  const long = pass.numbered?.find((name) => sizes[name]! > MAX_TEXELS);
  if (long === undefined) return;
  throw new DeviceError(
    "failed",
    `${label}: ${kernel.name} counts the numbers of ${long} in f32, to ${MAX_TEXELS}; there are ${sizes[long]}: use fewer rows`,
  );
}
