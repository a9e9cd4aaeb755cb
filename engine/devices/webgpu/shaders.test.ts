// Every shader says of its bindings and Params what its kernel's definition says: names, order, access, types.

import { describe, expect, test } from "vitest";
import { gpuImplementations } from "../../../kernels/every-on-gpu.ts";
import type { Kernel, Setting, WgslImplementation } from "../../../kernels/index.ts";
import { trialsFor } from "./choose.ts";
import { shaderOf } from "./pipelines.ts";

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

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** What the number of a buffer's element type is in WGSL; packed weights and the bits of floats are u32. */
const scalarsOf = (use: string) => (use.startsWith("matrix") || use.endsWith("u32") ? ["u32"] : ["f32", "u32"]);

function wantedBindings(kernel: Kernel, { secondPass }: WgslImplementation) {
  const buffers = Object.entries(kernel.buffers).map(([name, use], binding) => {
    return { name: snakeCase(name), binding, access: use.includes("write") ? "read_write" : "read" };
  });
  const params = { name: "params", binding: buffers.length, access: "read" };
  const scratch = { name: "scratch", binding: buffers.length + 1, access: "read_write" };
  return [...buffers, params, ...(secondPass ? [scratch] : [])];
}

describe("the shader of", () => {
  test.each(cases)("$name declares what $kernel.name does", ({ kernel, implementation }) => {
    const shader = new WgslReflect(shaderOf(implementation));
    const bindings = shader.getBindGroups()[0] ?? [];
    expect(bindings.map(({ name, binding, access }) => ({ name, binding, access }))).toEqual(
      wantedBindings(kernel, implementation),
    );

    const uses = Object.values(kernel.buffers);
    for (const [i, { format }] of bindings.slice(0, uses.length).entries()) {
      const scalar =
        format && "format" in format && format.format ? (format.format as { name: string }).name : format?.name;
      expect(scalarsOf(uses[i]!)).toContain(scalar);
    }
    const members = bindings[uses.length]!.members?.map(({ name, type }) => [name, type.name]);
    expect(members).toEqual(Object.entries(kernel.params).map(([name, type]) => [snakeCase(name), type]));

    expect(shader.entry.compute.map(({ name }) => name)).toEqual(
      implementation.secondPass ? ["main", implementation.secondPass.entryPoint] : ["main"],
    );
  });

  test.each(cases)("$name gets a value for each of its overrides", ({ kernel, implementation }) => {
    const declared = new WgslReflect(shaderOf(implementation)).overrides.map(({ name }) => name).sort();
    const [trial] = trialsFor(kernel, implementation, traits);
    const setting: Setting = { params: trial!.params, present: new Set(), formats: {}, ...traits };
    expect(Object.keys(implementation.constants?.(setting) ?? {}).sort()).toEqual(declared);
  });

  test.each(cases)("$name keeps to the limits that every adapter has", ({ implementation }) => {
    const shader = new WgslReflect(shaderOf(implementation));
    const buffers = (shader.getBindGroups()[0] ?? []).length - 1;
    expect(buffers).toBeLessThanOrEqual(8);
    for (const line of implementation.wgsl.split("\n")) expect(line.length).toBeLessThanOrEqual(140);
  });
});
