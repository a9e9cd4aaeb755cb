// Every shader, with the declarations that the device prepends (bindings.ts), fits its kernel's definition and every adapter.

import { describe, expect, test } from "vitest";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import type { Setting } from "../../../kernels/index.ts";
import { trialsFor } from "../choose.ts";
import { shaderOf, textOf } from "./pipelines.ts";

// Node takes the package's main file for a module, which it is not: this is the one that it means.
const modulePath: string = "wgsl_reflect/wgsl_reflect.module.js";
const { WgslReflect } = (await import(modulePath)) as typeof import("wgsl_reflect");

const cases = [...gpuImplementations].flatMap(([kernel, implementations]) =>
  implementations.map((implementation) => ({ name: implementation.name, kernel, implementation })),
);
const traits = {
  features: new Set(["subgroups", "packed_4x8_integer_dot_product"]),
  subgroupSize: 8,
  maxWorkgroupSize: 256,
  maxWorkgroupBytes: 16384,
};

/** The types that the numbers of a buffer may have in WGSL; packed weights and the bits of floats are u32. */
const scalarsOf = (use: string) => (use.startsWith("matrix") || use.endsWith("u32") ? ["u32"] : ["f32", "u32"]);

describe("the shader of", () => {
  test.each(cases)("$name reads numbers of the types of $kernel.name", async ({ kernel, implementation }) => {
    const shader = new WgslReflect(await shaderOf(kernel, implementation));
    const bindings = shader.getBindGroups()[0] ?? [];
    for (const [i, use] of Object.values(kernel.buffers).entries()) {
      const format = bindings[i]?.format;
      const scalar =
        format && "format" in format && format.format ? (format.format as { name: string }).name : format?.name;
      expect(scalarsOf(use)).toContain(scalar);
    }
    expect(shader.entry.compute.map(({ name }) => name)).toEqual(
      implementation.secondPass ? ["main", implementation.secondPass.entryPoint] : ["main"],
    );
  });

  test.each(cases)("$name gets a value for each of its overrides", async ({ kernel, implementation }) => {
    const declared = new WgslReflect(await shaderOf(kernel, implementation)).overrides.map(({ name }) => name).sort();
    const [trial] = trialsFor(kernel, implementation, traits, implementation.formats?.[0] ?? "f32");
    const setting: Setting = { params: trial!.params, present: new Set(), formats: {}, ...traits };
    expect(Object.keys(implementation.constants?.(setting) ?? {}).sort()).toEqual(declared);
  });

  test.each(cases)("$name keeps to the limits that every adapter has", async ({ kernel, implementation }) => {
    const shader = new WgslReflect(await shaderOf(kernel, implementation));
    const buffers = (shader.getBindGroups()[0] ?? []).length - 1;
    expect(buffers).toBeLessThanOrEqual(8);
    for (const line of (await textOf(implementation)).split("\n")) expect(line.length).toBeLessThanOrEqual(140);
  });
});
