// Which implementations a device is left with: on the reference device, made to give wrong answers or to fail where a test wants it.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ACTIVATIONS, add, linear, type Implementation, type Kernel } from "../../kernels/index.ts";
import { DeviceError, type Executable } from "./device.ts";
import { MeasuredChoices } from "./measured-choices.ts";
import { ProgramBuilder, variable, type Program } from "./program.ts";
import { CompileError, Qualification } from "./qualification.ts";
import { ReferenceDevice } from "./reference/reference-device.ts";

const one = (name: string, more: Partial<Implementation> = {}) =>
  ({ name, wasm: name, requires: [], ...more }) as Implementation;
const [first, second, third] = [one("first"), one("second"), one("third")];
const answers = ["right", "wrong", "no room", "does not compile"] as const;
type Answer = (typeof answers)[number];

interface Made extends Executable {
  readonly answer: Answer;
}

/** A device whose implementations of every kernel are `ones`, each of which does what `behaviour` says; right by default. */
function qualified(ones: readonly Implementation[], behaviour: Record<string, Answer>, isParallel = false) {
  const reference = new ReferenceDevice();
  const tried: string[] = [];
  const device = {
    description: "the test's device",
    tuning: new MeasuredChoices({}, false),
    createTensor: reference.createTensor.bind(reference),
    createMatrix: reference.createMatrix.bind(reference),
    destroy: reference.destroy.bind(reference),
    write: reference.write.bind(reference),
    run: async (executable: Executable, ...steps: Parameters<ReferenceDevice["run"]>[1][]) => {
      const { answer } = executable as Made;
      if (answer === "no room") throw new DeviceError("out-of-memory", "there is no room");
      const arrays = await reference.run(executable, ...steps);
      if (answer === "wrong") arrays[0]![0]! += 1;
      return arrays;
    },
  };
  const qualification = new Qualification<Implementation, string, Made>({
    device,
    traits: { features: new Set(), subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 },
    isDeterministic: false,
    isParallel,
    implementationsOf: (_kernel: Kernel) => ones,
    compile: (call, { name }) => {
      if (call.label.startsWith("trial")) tried.push(name);
      if (behaviour[name] === "does not compile" && call.label !== "easy") throw new CompileError(`${name}: line 1`);
      return name;
    },
    assemble: (program, calls) => ({
      program,
      chosen: calls.map((ready) => ready.map(({ made }) => made)),
      answer: behaviour[calls[0]![0]!.made] ?? "right",
      dispose: () => undefined,
    }),
  });
  const x = device.createTensor("x", "f32", 64, "activations");
  const y = device.createTensor("y", "f32", 64, "activations");
  const programOf = (...labels: string[]): Program => {
    const builder = new ProgramBuilder("program");
    for (const label of labels) builder.call(add, label, { a: x, b: x, y }, { rows: variable("rows"), dim: 4 });
    return builder.build();
  };
  return { qualification, programOf, tried, reference };
}

let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => vi.restoreAllMocks());

describe.each([false, true])("implementations, tested at once: %s", (isParallel) => {
  test("are tested once, before their first use", async () => {
    const { qualification, programOf, tried, reference } = qualified([first], {}, isParallel);
    const before = reference.memory();
    for (let i = 0; i < 2; i++) {
      expect((await qualification.prepare(programOf("a", "b"))).chosen).toEqual([["first"], ["first"]]);
    }
    expect(tried).toEqual(add.samples.map(() => "first"));
    expect(qualification.demotions).toEqual([]);
    await reference.read({ tensor: reference.createTensor("z", "f32", 0, "activations"), begin: 0, end: 0 });
    expect(reference.memory()).toEqual(before);
  });

  test("that are wrong are demoted with one warning, and the next is used", async () => {
    const { qualification, programOf, tried } = qualified([first, second], { first: "wrong" }, isParallel);
    for (let i = 0; i < 2; i++) {
      expect((await qualification.prepare(programOf("a"))).chosen).toEqual([["second"]]);
    }
    const reason = expect.stringMatching(/^y\[0\] of its known-answer test is .+, not .+/) as string;
    expect(qualification.demotions).toEqual([{ implementation: "first", reason }]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(
      expect.stringMatching(/^kedge: first is wrong on the test's device and is not used: y\[0\] of its known-answer/),
    );
    expect(tried.filter((name) => name === "first")).toHaveLength(add.samples.length);
  });

  test("that do not compile for one call are used for none", async () => {
    const behaviour = { first: "does not compile" } as const;
    const { qualification, programOf } = qualified([first, second], behaviour, isParallel);
    const { chosen } = await qualification.prepare(programOf("easy", "hard"), { isTested: false });
    expect(chosen).toEqual([["second"], ["second"]]);
    expect(qualification.demotions).toEqual([{ implementation: "first", reason: "first: line 1" }]);
  });

  test("whose test could not run are tested again at the next use, and not demoted", async () => {
    const behaviour: Record<string, Answer> = { first: "no room" };
    const { qualification, programOf, tried } = qualified([first, second], behaviour, isParallel);
    await expect(qualification.prepare(programOf("a"))).rejects.toThrow("there is no room");
    const { length } = tried;
    behaviour["first"] = "right";
    expect((await qualification.prepare(programOf("a"))).chosen).toEqual([["first"]]);
    expect(tried.length).toBe(length + add.samples.length);
    expect(qualification.demotions).toEqual([]);
  });

  test("leave an error that names the call and each reason when none is right", async () => {
    const behaviour = { first: "wrong", second: "does not compile" } as const;
    const { qualification, programOf } = qualified([first, second], behaviour, isParallel);
    const error = await qualification.prepare(programOf("blocks.0.add")).then(
      () => expect.fail("nothing was thrown"),
      (caught: unknown) => caught as DeviceError,
    );
    expect(error.kind).toBe("unfit");
    expect(error.message).toMatch(
      /^blocks\.0\.add: no implementation of add fits here; first is not used: y\[0\] .+; second is not used: second: line 1$/,
    );
    expect(qualification.hasFitting(programOf("a").calls[0]!)).toBe(false);
  });
});

const rank = ({ name }: Implementation) => (name === "first" ? 1 : 0);

test("are ranked by the device, kept by `only`, and wanted for every count of rows", async () => {
  const few = one("few", { rows: { max: 4 } });
  const { qualification, programOf } = qualified([first, second, third, few], {});
  const chosen = async (options: Parameters<typeof qualification.prepare>[1]) =>
    (await qualification.prepare(programOf("a"), options)).chosen[0];
  expect(await chosen({ rank })).toEqual(["second"]);
  expect(await chosen({ only: (_call, { name }) => name === "third" })).toEqual(["third"]);
  await expect(chosen({ only: (_call, { name }) => name === "few" })).rejects.toThrow("no implementation of add fits");
});

test("are tested once in each format that they are used with", async () => {
  const { qualification, tried, reference } = qualified([first], {});
  const builder = new ProgramBuilder("products");
  const x = reference.createTensor("x", "f32", 32, "activations");
  const y = reference.createTensor("y", "f32", 8, "activations");
  const shape = { inputs: 32, outputs: 8, outputBegin: 0, outputStride: 8, activation: ACTIVATIONS.none, softcap: 0 };
  for (const [format, byteLength] of [
    ["f32", 1024],
    ["f16", 512],
    ["f32", 1024],
  ] as const) {
    const read = () => Promise.resolve(new Uint8Array(byteLength));
    const weight = await reference.createMatrix({ label: format, rows: 8, columns: 32, format, read });
    builder.call(linear, format, { x, weight, bias: undefined, residual: undefined, y }, { rows: 1, ...shape });
  }
  await qualification.prepare(builder.build());
  expect(tried).toHaveLength(2 * linear.samples.length);
});
