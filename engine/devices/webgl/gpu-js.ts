// The part of gpu.js that the device uses: it compiles a JavaScript function to a shader, sets its arguments and draws. The device decides
// where it draws: the texture of a tensor takes the place of the kernel's result, and a plugin restricts the drawing to the rectangles
// that the call writes. Only this file imports gpu.js, by its name, so that bundlers give it a chunk of its own.

import { UnsupportedError } from "../../../loaders/index.ts";
import type { WebGlFunction, WebGlPass } from "../../../kernels/index.ts";
import { DeviceError } from "../device.ts";
import { CompileError } from "../qualification.ts";
import type { GlHandle, WebGl } from "./gl.ts";
import type { Rectangle } from "./regions.ts";
import type { TextureArgument } from "./textures.ts";

/** An argument of a pass. */
export type PassArgument = TextureArgument | number;

/** The members of a gpu.js kernel that the device uses. */
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

/** Loads gpu.js, a CommonJS module, which bundlers wrap in different ways. */
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

/** Compiles passes; equal passes are compiled once. */
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

  /** Returns the pass for these constants and kinds of arguments. Throws a CompileError with the compiler's reason. */
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
      gl.deleteTexture(kernel.texture.texture); // gpu.js's own result, which the textures of tensors replace
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

/** The function without its leading comment: gpu.js needs text that begins with `function`. */
function withoutHeader(source: string): string {
  return source.slice(source.search(/^function\b/m)).trim();
}

function settingsOf({ source, types }: WebGlFunction): GpuJsSettings {
  const names = argumentsOf(source);
  const argumentTypes = Object.fromEntries(names.map((name, i) => [name, types[i]]));
  return { source: withoutHeader(source), settings: { argumentTypes, returnType: "Float" } };
}
