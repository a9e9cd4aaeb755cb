// What of gpu.js the device uses: it makes a shader of a JavaScript function, sets its arguments and draws. Where it draws is
// ours to say: a kernel's result is replaced by the texture of a tensor, and a plugin narrows the drawing to the rectangles
// that the call writes. Loaded by its name and only here, so that bundlers give it a chunk of its own.

import { UnsupportedError } from "../../../loaders/index.ts";
import type { WebGlFunction, WebGlPass } from "../../../kernels/index.ts";
import { DeviceError } from "../device.ts";
import { CompileError } from "../qualification.ts";
import type { GlHandle, WebGl } from "./gl.ts";
import type { Rectangle } from "./regions.ts";
import type { TextureArgument } from "./textures.ts";

/** An argument of a pass. */
export type PassArgument = TextureArgument | number;

/** A kernel of gpu.js, as far as it is used. */
interface GpuJsKernel {
  texture: TextureArgument;
  texSize: readonly number[];
  threadDim: readonly number[];
  maxTexSize: readonly number[];
  plugins: readonly { onBeforeRun(): void }[];
  build(...values: readonly PassArgument[]): void;
  run(...values: readonly PassArgument[]): void;
  destroy(): void;
}
interface GpuJsSettings {
  readonly [name: string]: unknown;
}
interface GpuJsModule {
  readonly GPU: new (settings: GpuJsSettings) => {
    createKernel(source: string, settings: GpuJsSettings): { readonly kernel: GpuJsKernel };
  };
}

/** Whatever a bundler makes of a CommonJS module. */
async function loadGpuJs(): Promise<GpuJsModule> {
  try {
    const module = (await import("gpu.js")) as unknown as Record<string, unknown> & { default?: unknown };
    const found = [module, module.default].find(
      (one): one is GpuJsModule => typeof (one as GpuJsModule | undefined)?.GPU === "function",
    );
    const alone = module.default ?? module;
    if (found) return found;
    if (typeof alone === "function") return { GPU: alone as GpuJsModule["GPU"] };
    throw new TypeError("it exports no GPU");
  } catch (cause) {
    throw new UnsupportedError('device "webgl" needs the package gpu.js: npm install gpu.js', { cause });
  }
}

/** A compiled pass. */
export class CompiledPass {
  readonly names: readonly string[];
  readonly #gl: WebGl;
  readonly #kernel: GpuJsKernel;
  readonly #vertices: GlHandle;
  #rectangles: readonly Rectangle[] = [];

  constructor(gl: WebGl, kernel: GpuJsKernel, names: readonly string[], vertices: GlHandle) {
    this.#gl = gl;
    this.#kernel = kernel;
    this.names = names;
    this.#vertices = vertices;
    kernel.plugins = [{ onBeforeRun: () => this.#narrow(this.#rectangles[0]!) }];
  }

  /** Draws rectangles of `target`. `line`: texels that thread.x counts before thread.y steps on. */
  draw(target: TextureArgument, values: readonly PassArgument[], line: number, rectangles: readonly Rectangle[]): void {
    if (rectangles.length === 0) return;
    const gl = this.#gl;
    const kernel = this.#kernel;
    const [width, height] = target.size;
    kernel.texture = target;
    kernel.texSize = target.size;
    kernel.maxTexSize = target.size;
    kernel.threadDim = [line, Math.ceil((width * height) / line), 1];
    this.#rectangles = rectangles;
    gl.bindVertexArray(this.#vertices);
    gl.viewport(0, 0, width, height);
    kernel.run(...values);
    for (let i = 1; i < rectangles.length; i++) {
      this.#narrow(rectangles[i]!);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    gl.colorMask(true, true, true, true);
    gl.bindVertexArray(null);
  }

  destroy(): void {
    this.#kernel.destroy();
    this.#gl.deleteVertexArray(this.#vertices);
  }

  #narrow({ x, y, width, height, begin, end }: Rectangle): void {
    const gl = this.#gl;
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(x, y, width, height);
    const isKept = (channel: number) => channel >= begin && channel < end;
    gl.colorMask(isKept(0), isKept(1), isKept(2), isKept(3));
  }
}

/** Compiles passes; those that differ in nothing once. */
export class Compiler {
  readonly #gl: WebGl;
  readonly #module: GpuJsModule;
  readonly #compiled = new Map<string, CompiledPass>();

  private constructor(gl: WebGl, module: GpuJsModule) {
    this.#gl = gl;
    this.#module = module;
  }

  /** Throws an UnsupportedError where gpu.js is not installed. */
  static async open(gl: WebGl): Promise<Compiler> {
    return new Compiler(gl, await loadGpuJs());
  }

  /** The pass for these constants and kinds of arguments. `values` serve as examples. Throws a DeviceError that says what is wrong. */
  compile(
    name: string,
    pass: WebGlPass,
    constants: Readonly<Record<string, { value: number; type: "Integer" | "Float" }>>,
    kinds: Readonly<Record<string, "texture" | "Integer" | "Float">>,
    example: TextureArgument,
  ): CompiledPass {
    const key = JSON.stringify([name, pass.writes, constants]);
    const held = this.#compiled.get(key);
    if (held) return held;
    const gl = this.#gl;
    const names = Object.keys(kinds);
    const types = names.map((argument) => (kinds[argument] === "texture" ? "ArrayTexture(4)" : kinds[argument]!));
    const vertices = gl.createVertexArray()!;
    gl.bindVertexArray(vertices);
    try {
      // gpu.js sets the canvas to the size of the result; one texel keeps it small
      const gpu = new this.#module.GPU({ mode: "webgl2", canvas: gl.canvas, context: gl });
      const { kernel } = gpu.createKernel(withoutHeader(pass.source), {
        output: [1, 1],
        pipeline: true,
        dynamicOutput: true,
        dynamicArguments: true,
        precision: "single",
        tactic: "precision",
        returnType: "Array(4)",
        loopMaxIterations: 2 ** 30,
        argumentTypes: Object.fromEntries(names.map((argument, i) => [argument, types[i]])),
        constants: Object.fromEntries(Object.entries(constants).map(([constant, { value }]) => [constant, value])),
        constantTypes: Object.fromEntries(Object.entries(constants).map(([constant, { type }]) => [constant, type])),
        functions: (pass.functions ?? []).map(settingsOf),
      });
      kernel.build(...names.map((argument) => (kinds[argument] === "texture" ? example : 1)));
      gl.deleteTexture(kernel.texture.texture); // gpu.js's own result, for which tensors stand in
      kernel.texture = example;
      const compiled = new CompiledPass(gl, kernel, names, vertices);
      this.#compiled.set(key, compiled);
      return compiled;
    } catch (error) {
      gl.deleteVertexArray(vertices);
      if (gl.isContextLost()) throw new DeviceError("lost", "the WebGL context is lost");
      const reason = error instanceof Error ? error.message : String(error);
      throw new CompileError(`${name}: ${reason}`, { cause: error });
    } finally {
      gl.bindVertexArray(null);
    }
  }

  destroy(): void {
    for (const pass of this.#compiled.values()) pass.destroy();
    this.#compiled.clear();
  }
}

/** The names of a function's arguments, in order. */
export function argumentsOf(source: string): readonly string[] {
  const [, list = ""] = /^function\s+\w+\(([^)]*)\)/.exec(withoutHeader(source)) ?? [];
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The names of the constants that functions ask for. */
export function constantsOf(sources: readonly string[]): readonly string[] {
  const names = sources.flatMap((source) => [...source.matchAll(/this\.constants\.(\w+)/g)].map(([, name]) => name!));
  return [...new Set(names)];
}

/** The function without the comment in front of it: gpu.js wants text that begins with `function`. */
function withoutHeader(source: string): string {
  return source.slice(source.search(/^function\b/m)).trim();
}

function settingsOf({ source, types }: WebGlFunction): GpuJsSettings {
  const names = argumentsOf(source);
  const argumentTypes = Object.fromEntries(names.map((name, i) => [name, types[i]]));
  return { source: withoutHeader(source), settings: { argumentTypes, returnType: "Float" } };
}
