// Several steps in one run of a device: each sees what the one before it left, and what all of them read comes at once.

import { ProgramBuilder, variable } from "../../engine/devices/program.ts";
import { add } from "kedge/kernels";
import type { Device } from "kedge";
import type { Tensor } from "kedge/devices";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICES, testDevice } from "../support/devices.ts";

describe.each(DEVICES)("several steps on %s", (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(name);
  });
  afterAll(() => device.dispose());

  /** y = a + b, `rows` rows of four numbers. */
  async function adding(a: Tensor, b: Tensor, y: Tensor) {
    const builder = new ProgramBuilder("adding");
    builder.call(add, "sum", { a, b, y }, { rows: variable("rows"), dim: 4 });
    return device.prepare(builder.build());
  }
  const tensor = (label: string, length: number, type: "f32" | "u32" = "f32") =>
    device.createTensor(label, type, length, "activations");

  test("are made in order: writes, copies, calls, reads", async () => {
    const [a, b, y] = [tensor("a", 8), tensor("b", 8), tensor("y", 8)];
    const executable = await adding(a, b, y);
    device.write({ tensor: b, data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
    const reads = [{ tensor: y, begin: 2, end: 6 }];
    const results = await device.run(
      executable,
      { variables: { rows: 2 }, writes: [{ tensor: a, data: new Float32Array(8).fill(10) }], reads },
      { variables: { rows: 1 }, copies: [{ from: y, to: a, length: 4 }] },
      {
        variables: { rows: 2 },
        writes: [{ tensor: b, data: Float32Array.of(100), offset: 3 }],
        copies: [{ from: y, to: a, length: 8 }],
        reads: [...reads, { tensor: a, begin: 0, end: 1 }],
      },
    );
    expect(results.map((numbers) => [...numbers])).toEqual([[13, 14, 15, 16], [19, 118, 20, 22], [12]]);
    executable.dispose();
  });

  test("are refused where a later one is wrong, and the program stays usable", async () => {
    const [a, b, y] = [tensor("a", 8), tensor("b", 8), tensor("y", 8)];
    const words = tensor("words", 2, "u32");
    const executable = await adding(a, b, y);
    const writes = [{ tensor: a, data: new Float32Array(8).fill(1) }];
    const reads = [{ tensor: y, begin: 0, end: 8 }];
    const first = { variables: { rows: 1 }, writes, reads };
    await expect(device.run(executable, first, { variables: {} })).rejects.toThrow(/rows/);
    const across = { variables: { rows: 1 }, copies: [{ from: y, to: words, length: 1 }] };
    await expect(device.run(executable, first, across)).rejects.toThrow(/holds f32, "words" u32/);
    const beyond = { variables: { rows: 1 }, copies: [{ from: y, to: a, length: 9 }] };
    await expect(device.run(executable, first, beyond)).rejects.toThrow(/has 8 numbers; 9 cannot be copied/);
    const results = await device.run(executable, { ...first, variables: { rows: 2 } });
    expect([...results[0]!]).toEqual(Array.from({ length: 8 }, () => 1));
    executable.dispose();
  });
});
