// Measured choices as devices follow them: from the choice of an implementation to the numbers that it computes.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { add, linear, type WasmImplementation } from "../../kernels/index.ts";
import { testDevice } from "../../tests/support/devices.ts";
import { chooseByRows, chosenFor, implementationsIn } from "./choose.ts";
import type { Device, Matrix, Tensor } from "./device.ts";
import { MeasuredChoices, signatureOf, type MeasuredChoice } from "./measured-choices.ts";
import { ProgramBuilder, variable, type Call } from "./program.ts";

const shape = { inputs: 32, outputs: 8, outputBegin: 0, outputStride: 8, activation: 0, softcap: 0 };
const matrix: Matrix = { label: "w", rows: 8, columns: 32, format: "f32", byteLength: 1024 };
const tensor = (label: string): Tensor => ({
  label,
  type: "f32",
  length: 2240,
  role: "activations",
  packing: undefined,
});

function callOf(changes: Partial<Call["params"]> = {}, buffers: Partial<Call["buffers"]> = {}): Call {
  const all = { x: tensor("x"), weight: matrix, bias: undefined, residual: undefined, y: tensor("y"), ...buffers };
  return { kernel: linear, label: "l", buffers: all, params: { rows: variable("rows"), ...shape, ...changes } };
}

const few: WasmImplementation = { name: "few", wasm: "few", requires: [], rows: { max: 4 } };
const rival: WasmImplementation = { name: "rival", wasm: "rival", requires: [], rows: { max: 6 } };
const any: WasmImplementation = { name: "any", wasm: "any", requires: [] };

/** Which of few, rival and any are taken for 1, 2 .. 10 rows, with these choices. */
function takenWith(
  choices: readonly Partial<MeasuredChoice>[],
  { call = callOf(), isDeterministic = false, fitting = [few, rival, any] } = {},
): string {
  const measured = new MeasuredChoices({}, false);
  measured.adopt(
    choices.map((one) => ({ call: signatureOf(call), begin: 1, end: null, implementation: "any", ...one })),
  );
  const chosen = chooseByRows(call, fitting, { isDeterministic, measured });
  return Array.from({ length: 10 }, (_, i) => chosenFor(chosen, i + 1)!.implementation.name[0]).join("");
}

describe("an implementation", () => {
  it("is the first that is meant for the rows, where nothing was measured", () => {
    expect(takenWith([])).toBe("ffffrraaaa");
  });

  it("is the measured one for the rows that were measured", () => {
    expect(takenWith([{ begin: 2, end: 3 }])).toBe("faffrraaaa");
    expect(takenWith([{ begin: 1 }])).toBe("aaaaaaaaaa");
    expect(
      takenWith([
        { begin: 1, end: 2 },
        { begin: 3, end: 8, implementation: "rival" },
      ]),
    ).toBe("afrrrraaaa");
  });

  it("is another where the measured one is not meant for the rows, is demoted, or does not exist", () => {
    expect(takenWith([{ begin: 3, implementation: "rival" }])).toBe("ffrrrraaaa");
    expect(takenWith([{ implementation: "rival" }], { fitting: [few, any] })).toBe("ffffaaaaaa");
    expect(takenWith([{ implementation: "gone" }])).toBe("ffffrraaaa");
  });

  it("is not the measured one of another kind of call, nor where sums keep their order", () => {
    expect(takenWith([{ call: "linear of something else" }])).toBe("ffffrraaaa");
    expect(takenWith([{}], { isDeterministic: true })).toBe("ffffrraaaa");
  });

  it("is looked up for a fixed count of rows", () => {
    const call = callOf({ rows: 2 });
    expect(takenWith([], { call })).toBe("ffffffffff");
    expect(takenWith([{ begin: 2, end: 3 }], { call })).toBe("aaaaaaaaaa");
    expect(takenWith([{ begin: 3 }], { call })).toBe("ffffffffff");
  });
});

it("calls are of one kind if nothing but rows and buffers' numbers differ", () => {
  const signature = signatureOf(callOf());
  expect(signature).toBe(
    "linear weight:f32 inputs=32 outputs=8 outputStride=8 outputBegin=0 activation=0 softcap=0".replace(
      /inputs.*/,
      Object.keys(linear.params)
        .filter((name) => name !== "rows")
        .map((name) => `${name}=${shape[name as keyof typeof shape]}`)
        .join(" "),
    ),
  );
  expect(signatureOf(callOf({ rows: 7 }, { x: tensor("other") }))).toBe(signature);
  const others = [
    callOf({ outputs: 4 }),
    callOf({}, { residual: tensor("r") }),
    callOf({}, { weight: { ...matrix, format: "int8" } }),
    { ...callOf(), kernel: add },
  ];
  expect(new Set([signature, ...others.map(signatureOf)]).size).toBe(5);
});

/** A call on a device, what it gives for a count of rows, and its kind. */
async function prepared(on: Device) {
  const numbers = Float32Array.from({ length: 40 * 32 }, (_, i) => Math.sin(i));
  const x = on.createTensor("x", "f32", numbers.length, "activations");
  on.write({ tensor: x, data: numbers });
  const read = (begin: number, end: number) =>
    Promise.resolve(new Uint8Array(numbers.slice(begin * 32, end * 32).buffer));
  const weight = await on.createMatrix({ label: "w", rows: 8, columns: 32, format: "f32", read });
  const y = on.createTensor("y", "f32", 40 * 8, "activations");
  const builder = new ProgramBuilder("one");
  const buffers = { x, weight, bias: undefined, residual: undefined, y };
  builder.call(linear, "one", buffers, { rows: variable("rows"), ...shape });
  const program = builder.build();
  const result = async (isTuned: boolean, rows: number) => {
    const executable = await on.prepare(program, { isTuned });
    const reads = [{ tensor: y, begin: 0, end: rows * 8 }];
    const [numbersRead] = await on.run(executable, { variables: { rows }, reads });
    return { chosen: executable.chosen[0]!, numbers: numbersRead as Float32Array };
  };
  return { result, signature: signatureOf(program.calls[0]!) };
}

describe.each([
  { name: "wasm", plain: "linear.plain.f32", usual: "linear.few-rows.f32" },
  { name: "webgpu", plain: "linear.f32", usual: "linear.row.subgroups.f32" },
] as const)("$name", ({ name, plain, usual }) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(name);
  });
  afterAll(() => device.dispose());

  it("uses a measured choice in what is prepared after it, for its rows, with the same result", async () => {
    const { result, signature } = await prepared(device);
    const before = await result(true, 1);
    expect(before.chosen[0]).toBe(usual);
    device.tuning!.adopt([
      { call: signature, begin: 1, end: 2, implementation: plain },
      { call: signature, begin: 2, end: 3, implementation: "linear.gone" },
    ]);
    const after = await result(true, 1);
    expect(after.chosen[0]).toBe(plain);
    expect(after.chosen.length).toBeGreaterThan(1);
    for (const [i, value] of after.numbers.entries()) expect(value).toBeCloseTo(before.numbers[i]!, 4);
    expect((await result(false, 1)).chosen).toEqual(before.chosen);
    expect((await result(true, 40)).numbers).toEqual((await result(false, 40)).numbers);
    device.tuning!.clear();
    expect((await result(true, 1)).chosen).toEqual(before.chosen);
    expect(device.tuning!.size).toBe(0);
  });

  it("says what it is, for the key of choices", () => {
    expect(device.tuning!.identity).toMatchObject({ device: name });
    expect(Object.values(device.tuning!.identity).join("")).not.toContain("undefined");
    expect(device.tuning!.isGpu).toBe(false);
  });

  it("follows none where sums keep their order", async () => {
    const exact = await testDevice(name, { deterministic: true });
    try {
      expect(exact.tuning).toBeUndefined();
    } finally {
      await exact.dispose();
    }
  });
});

it("what a call uses is named once each", () => {
  const chosen = [few, any, few].map((implementation, i) => ({ implementation, begin: i, end: i + 1 }));
  expect(implementationsIn(chosen)).toEqual([few, any]);
});
