// Implementations of a user's own in a device: they stand in front of kedge's, and are held to the reference before they are used.

import { expect, test, vi } from "vitest";
import { openDevice, ProgramBuilder, runTrial, type Device } from "kedge/devices";
import { add, addImplementations, makeTrial, seededRandom, type WasmImplementation } from "kedge/kernels";
import scalarAdd from "../../bench/rivals/scalar-add.ts";

const { implementation, module } = scalarAdd;

/** The implementation that a device takes for a sum. */
async function chosenFor(device: Device): Promise<readonly string[]> {
  const tensor = (label: string) => device.createTensor(label, "f32", 64, "activations");
  const builder = new ProgramBuilder("a sum");
  builder.call(add, "sum", { a: tensor("a"), b: tensor("b"), y: tensor("y") }, { rows: 1, dim: 64 });
  const executable = await device.prepare(builder.build());
  executable.dispose();
  return executable.chosen.flat();
}

const openWith = (one: WasmImplementation) =>
  openDevice("wasm", {
    threads: 1,
    wasm: { implementations: addImplementations([[add, [one]]]), modules: [module] },
  });

test("an implementation of one's own is taken, and is right", async () => {
  const device = await openWith(implementation);
  try {
    expect(await chosenFor(device)).toEqual(["add.scalar"]);
    const trial = makeTrial(add, { params: { rows: 3, dim: 5 } }, seededRandom(1));
    expect(await runTrial(device, trial, implementation)).toBeNull();
  } finally {
    await device.dispose();
  }
});

test("one that fails its known-answer test is not taken", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const device = await openWith({ ...implementation, name: "add.missing", wasm: "missing" });
  try {
    expect(await chosenFor(device)).toEqual(["add"]);
    expect(device.demotions.map((one) => one.implementation)).toEqual(["add.missing"]);
    expect(warn).toHaveBeenCalledOnce();
  } finally {
    await device.dispose();
    warn.mockRestore();
  }
});
