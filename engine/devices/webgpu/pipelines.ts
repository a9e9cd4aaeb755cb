// Shader modules, layouts and pipelines, each made once per device. Errors of the shader compiler name the
// implementation, the line number and the text of the line.

import type { Kernel, WgslImplementation } from "../../../kernels/index.ts";
import { CompileError } from "../qualification.ts";
import { bindingsOf } from "./bindings.ts";
import { COMPUTE } from "./constants.ts";
import type { Faults } from "./faults.ts";
import { waitFor } from "./wait.ts";

/**
 * How the buffers of a kernel are bound: its own in group 0, `Params` behind them at an offset into the uniforms, behind that
 * the scratch of implementations with a second pass.
 */
export interface KernelLayout {
  readonly hasScratch: boolean;
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** An implementation's pipelines, and how their buffers are bound. */
export interface ReadyPipelines {
  readonly layout: KernelLayout;
  readonly first: GPUComputePipeline;
  readonly second: GPUComputePipeline | undefined;
}

/** The prelude of shaders that require a feature. */
const preludes: Readonly<Record<string, string>> = {
  f16: "enable f16;\n",
  // the compiler cannot prove that loops with subgroup operations are uniform; these shaders are written so
  subgroups: "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n",
};

/** The prelude of an implementation: the features that it requires, and its declarations. */
function preludeOf(kernel: Kernel, implementation: WgslImplementation): string {
  const features = implementation.requires.map((feature) => preludes[feature] ?? "").join("");
  return features + bindingsOf(kernel, implementation);
}

/** The text of an implementation's shader without its prelude; it may have to be loaded. */
export async function textOf({ wgsl }: WgslImplementation): Promise<string> {
  return typeof wgsl === "string" ? wgsl : wgsl();
}

/** The whole text of an implementation's shader. */
export async function shaderOf(kernel: Kernel, implementation: WgslImplementation): Promise<string> {
  return preludeOf(kernel, implementation) + (await textOf(implementation));
}

/** The modules, layouts and pipelines of one device. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #layouts = { plain: new Map<Kernel, KernelLayout>(), scratch: new Map<Kernel, KernelLayout>() };
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #pipelines = new Map<WgslImplementation, Map<string, Promise<ReadyPipelines>>>();

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  #layoutOf(kernel: Kernel, hasScratch: boolean): KernelLayout {
    const layouts = this.#layouts[hasScratch ? "scratch" : "plain"];
    const known = layouts.get(kernel);
    if (known) return known;
    const uses = Object.values(kernel.buffers);
    const entries: GPUBindGroupLayoutEntry[] = uses.map((use, binding) => ({
      binding,
      visibility: COMPUTE,
      buffer: { type: use.includes("write") ? "storage" : "read-only-storage" },
    }));
    const uniform = { type: "uniform", hasDynamicOffset: true } as const;
    entries.push({ binding: uses.length, visibility: COMPUTE, buffer: uniform });
    if (hasScratch) entries.push({ binding: uses.length + 1, visibility: COMPUTE, buffer: { type: "storage" } });
    const group = this.#device.createBindGroupLayout({ label: kernel.name, entries });
    const pipeline = this.#device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [group] });
    const layout = { hasScratch, group, pipeline };
    layouts.set(kernel, layout);
    return layout;
  }

  /** The pipelines of an implementation with these constants; the same promise every time. Rejects with a CompileError. */
  get(
    kernel: Kernel,
    implementation: WgslImplementation,
    constants: Readonly<Record<string, number | boolean>>,
  ): Promise<ReadyPipelines> {
    const values = Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, Number(value)]));
    const wrong = Object.entries(values).find(([, value]) => !Number.isFinite(value));
    if (wrong) {
      return Promise.reject(
        new CompileError(
          `${implementation.name}: constant ${wrong[0]} is ${wrong[1]}; it must not depend on a variable`,
        ),
      );
    }
    let made = this.#pipelines.get(implementation);
    if (!made) this.#pipelines.set(implementation, (made = new Map()));
    const key = JSON.stringify(values);
    let pipeline = made.get(key);
    if (!pipeline) {
      made.set(key, (pipeline = this.#make(kernel, implementation, values)));
      pipeline.catch(() => made.delete(key)); // a text that could not be loaded is loaded at the next try
    }
    return pipeline;
  }

  async #make(
    kernel: Kernel,
    implementation: WgslImplementation,
    constants: Record<string, number>,
  ): Promise<ReadyPipelines> {
    const { name, secondPass } = implementation;
    const code = await shaderOf(kernel, implementation);
    const layout = this.#layoutOf(kernel, secondPass !== undefined);
    this.#device.pushErrorScope("validation");
    let module = this.#modules.get(code);
    if (!module) this.#modules.set(code, (module = this.#device.createShaderModule({ label: name, code })));
    const scope = this.#device.popErrorScope();
    const made = ["main", ...(secondPass ? [secondPass.entryPoint] : [])].map((entryPoint) => {
      const compute = { module, entryPoint, constants };
      return this.#device.createComputePipelineAsync({ label: name, layout: layout.pipeline, compute });
    });
    try {
      const [[first, second]] = await waitFor(Promise.all([Promise.all(made), scope]));
      return { layout, first: first!, second };
    } catch (error) {
      this.#faults.throwIfEnded();
      const { messages } = await waitFor(module.getCompilationInfo());
      const ownLine = preludeOf(kernel, implementation).split("\n").length;
      const told = messages.filter(({ type }) => type === "error").map((message) => describe(message, code, ownLine));
      const reason = error instanceof Error ? error.message.trim() : String(error);
      throw new CompileError(`${name}: ${told.length > 0 ? told.join("; ") : reason}`, { cause: error });
    }
  }
}

/** A message of the compiler with its line, counted in the implementation's own text, which begins at `ownLine` of the code. */
function describe({ lineNum, message }: GPUCompilationMessage, code: string, ownLine: number): string {
  const line = code.split("\n")[lineNum - 1]?.trim() ?? "";
  const place = lineNum < ownLine ? "its declarations" : `line ${lineNum - ownLine + 1}`;
  return `${place}: ${message.trim()} in \`${line}\``;
}
