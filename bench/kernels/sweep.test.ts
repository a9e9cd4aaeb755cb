import { describe, expect, it } from "vitest";
import { gpuImplementations, linear, type Implementation } from "kedge/kernels";
import { rivalsOf } from "./rival.ts";
import { casesOfShape } from "./shapes.ts";
import { combinationsOf, overrideNames, readSweep, sweptBy } from "./sweep.ts";

const setting = {
  params: { rows: 1, inputs: 64, outputs: 64 },
  present: new Set<string>(),
  formats: { weight: "f32" },
  features: new Set(["subgroups"]),
  subgroupSize: 32,
  maxWorkgroupSize: 256,
  maxWorkgroupBytes: 16384,
} as const;

describe("--set", () => {
  it("reads names and numbers, each once", () => {
    expect(readSweep("LANES=32,64,32")).toEqual({ name: "LANES", values: [32, 64] });
    expect(combinationsOf([readSweep("A=1,2"), readSweep("b=3")])).toEqual([
      { A: 1, b: 3 },
      { A: 2, b: 3 },
    ]);
  });

  it.each(["LANES", "LANES=", "=3", "LANES=a", "LANES=1,,2", "2X=1"])("refuses %j", (text) => {
    expect(() => readSweep(text)).toThrow(`--set is "${text}": it must be a name and numbers`);
  });

  it("replaces overrides of shaders that have them, and keeps the others", async () => {
    const split = gpuImplementations.get(linear)!.find(({ name }) => name === "linear.row.split.f32")!;
    expect(await overrideNames(split)).toContain("WORKGROUP");
    const swept = await sweptBy(split, [readSweep("WORKGROUP=32,64"), readSweep("NOTHING=1")]);
    expect(swept.map(({ name }) => name)).toEqual([
      "linear.row.split.f32 WORKGROUP=32",
      "linear.row.split.f32 WORKGROUP=64",
    ]);
    expect(swept[1]!.constants!(setting)).toEqual({ ...split.constants!(setting), WORKGROUP: 64 });
    expect(await sweptBy(split, [readSweep("NOTHING=1")])).toEqual([]);
    expect(await sweptBy({ name: "a", wasm: "a", requires: [] }, [readSweep("WORKGROUP=1")])).toEqual([]);
  });
});

describe("shapes of one's own", () => {
  it("are products, or all calls of a model of these sizes", () => {
    expect(casesOfShape("4x100x30").map(({ kernel, size }) => [kernel.name, size])).toEqual([["linear", "4x100x30"]]);
    expect(casesOfShape("4x100x30", { rows: 2 })[0]!.sample.params).toMatchObject({
      rows: 2,
      inputs: 100,
      outputs: 30,
    });
    const cases = casesOfShape("dim=64,hidden=100,heads=4,kvHeads=2,headDim=16", { rows: 3, keys: 8 });
    const sizes = Object.fromEntries(cases.map(({ label, size }) => [label, size]));
    expect(sizes["feed-forward down"]).toBe("3x100x64");
    expect(sizes["attention"]).toBe("3x4/2x16, 8 keys");
    expect(sizes["logits"]).toBe("1x64x49152");
  });

  it.each([
    ["3x4", "use ROWSxINPUTSxOUTPUTS"],
    ["dims=3", "use ROWSxINPUTSxOUTPUTS, or NAME=VALUE of rows, keys, dim"],
    ["0x4x4", "rows = 0: it must be a whole number from 1 to"],
    ["1x4x99999999", "outputs = 99999999"],
    ["rows=9,keys=3", "3 keys and 9 rows"],
    ["heads=9,kvHeads=2", "9 heads and 2 kvHeads"],
  ])("refuse %j", (text, message) => {
    expect(() => casesOfShape(text)).toThrow(message);
  });
});

const made = ({ LANES }: Readonly<Record<string, number>>): Implementation => ({
  name: "add.mine",
  requires: [],
  wgsl: `@compute @workgroup_size(${LANES}) fn main() {}`,
  workgroups: () => [1],
});

describe("a rival", () => {
  it("is made anew for each value of its parameters", () => {
    const module = { default: { kernel: "add", parameters: { LANES: 64 }, implementation: made } };
    expect(rivalsOf(module, "mine.ts").map(({ implementation }) => implementation.name)).toEqual(["add.mine"]);
    const swept = rivalsOf(module, "mine.ts", [readSweep("LANES=32,128"), readSweep("WORKGROUP=1")]);
    expect(swept.map(({ implementation }) => implementation.name)).toEqual(["add.mine LANES=32", "add.mine LANES=128"]);
    expect(swept[1]!.implementation).toMatchObject({ wgsl: expect.stringContaining("workgroup_size(128)") as string });
  });

  it.each([
    [{}, "its default export must be { kernel, implementation }"],
    [{ default: null }, "its default export must be { kernel, implementation }"],
    [{ default: { kernel: "add", implementation: null } }, "its default export must be"],
    [{ default: { kernel: "sum", implementation: made({ LANES: 1 }) } }, 'there is no kernel "sum"'],
    [{ default: { kernel: "add", implementation: { name: "a", requires: [] } } }, "needs a name, requires, and either"],
    [{ default: { kernel: "add", implementation: { ...made({ LANES: 1 }), name: "add" } } }, "of its own"],
    [{ default: { kernel: "add", implementation: { name: "a", requires: [], wasm: "f" } } }, "needs `module`"],
  ])("that is none is refused: %#", (module, message) => {
    expect(() => rivalsOf(module, "mine.ts")).toThrow(message);
  });
});
