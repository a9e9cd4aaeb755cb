// The declarations that stand in front of every shader, from the definition of its kernel: `struct Params` and a binding a
// buffer. So a shader holds its algorithm only, and a new buffer or parameter moves no number that somebody wrote.

import type { Kernel, WgslImplementation } from "../../../kernels/index.ts";

/** A name of a definition as shaders write it: `outputBegin` is `output_begin`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function binding(index: number, space: string, name: string, type: string): string {
  return `@group(0) @binding(${index}) var<${space}> ${name}: ${type};\n`;
}

/**
 * The WGSL that declares a kernel's `params` and buffers, and `scratch` for an implementation with a second pass. Elements of a
 * buffer are u32 for packed matrices, caches and u32 buffers, f32 for others, unless `elements` says otherwise.
 */
export function bindingsOf(
  { buffers, params }: Pick<Kernel, "buffers" | "params">,
  { elements = {}, secondPass }: Pick<WgslImplementation, "elements" | "secondPass">,
): string {
  const members = Object.entries(params).map(([name, type]) => `${snakeCase(name)}: ${type},`);
  const uses = Object.entries(buffers);
  const declared = uses.map(([name, use], i) => {
    const element = elements[name] ?? (/u32|matrix|cache/.test(use) ? "u32" : "f32");
    const access = use.includes("write") ? "read_write" : "read";
    return binding(i, `storage, ${access}`, snakeCase(name), `array<${element}>`);
  });
  declared.push(binding(uses.length, "uniform", "params", "Params"));
  if (secondPass) declared.push(binding(uses.length + 1, "storage, read_write", "scratch", "array<vec4<f32>>"));
  return `struct Params { ${members.join(" ")} }\n${declared.join("")}`;
}
