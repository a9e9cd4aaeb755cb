import { expect, test } from "vitest";
import { bindingsOf } from "./bindings.ts";

const kernel = {
  buffers: {
    x: "read",
    weight: "matrix",
    slots: "read u32",
    gateBias: "read optional",
    cache: "cache read-write",
    y: "write",
  },
  params: { rows: "u32", outputBegin: "u32", epsilon: "f32" },
} as const;

test("a shader's parameters and buffers are declared in the order of the definition, in snake case", () => {
  expect(bindingsOf(kernel, {})).toBe(
    `struct Params { rows: u32, output_begin: u32, epsilon: f32, }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
@group(0) @binding(3) var<storage, read> gate_bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> cache: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
`,
  );
});

test("an implementation may read elements of other types", () => {
  const text = bindingsOf(kernel, { elements: { x: "vec4<f32>", cache: "Cached" } });
  expect(text).toContain("var<storage, read> x: array<vec4<f32>>;");
  expect(text).toContain("var<storage, read_write> cache: array<Cached>;");
  expect(text).toContain("var<storage, read_write> y: array<f32>;");
});

test("a second pass has scratch behind the parameters", () => {
  const secondPass = { entryPoint: "merge", workgroups: () => [1], scratchLength: () => 4 };
  expect(bindingsOf(kernel, { secondPass })).toMatch(
    /@binding\(7\) var<storage, read_write> scratch: array<vec4<f32>>;\n$/,
  );
});
