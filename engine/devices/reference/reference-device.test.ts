// The reference device refuses what it no longer holds, as the other devices do.

import { expect, test } from "vitest";
import { add, linear } from "../../../kernels/index.ts";
import { errorOf } from "../../../tests/support/device-checks.ts";
import { ProgramBuilder } from "../program.ts";
import { ReferenceDevice } from "./reference-device.ts";

test("a tensor that was destroyed, or is another device's, cannot be read or run", async () => {
  const [device, other] = [new ReferenceDevice(), new ReferenceDevice()];
  const [x, y] = ["x", "y"].map((label) => device.createTensor(label, "f32", 4, "activations"));
  const builder = new ProgramBuilder("adding");
  builder.call(add, "sum", { a: x!, b: x!, y: y! }, { rows: 1, dim: 4 });
  const executable = await device.prepare(builder.build());
  const read = { tensor: x!, begin: 0, end: 4 };
  expect(await device.read(read)).toEqual(new Float32Array(4));
  const before = device.run(executable, { variables: {} }); // called before the tensor is destroyed
  device.destroy(x!);
  await before;
  const reason = '"x" is destroyed, or belongs to another device';
  expect((await errorOf(device.run(executable, { variables: {} }))).message).toContain(reason);
  expect((await errorOf(device.read(read))).message).toContain(reason);
  expect((await errorOf(other.read({ ...read, tensor: y! }))).message).toContain('"y" is destroyed, or belongs');
});

const read = () => Promise.resolve(new Uint8Array(16));

test("a matrix that was destroyed cannot be run", async () => {
  const device = new ReferenceDevice();

  const weight = await device.createMatrix({ label: "w", rows: 2, columns: 2, format: "f32", read });
  const [x, y] = ["x", "y"].map((label) => device.createTensor(label, "f32", 2, "activations"));
  const shape = { rows: 1, inputs: 2, outputs: 2, outputBegin: 0, outputStride: 2, activation: 0, softcap: 0 };
  const builder = new ProgramBuilder("product");
  builder.call(linear, "product", { x: x!, weight, bias: undefined, residual: undefined, y: y! }, shape);
  const executable = await device.prepare(builder.build());
  await device.run(executable, { variables: {} });
  device.destroy(weight);
  expect((await errorOf(device.run(executable, { variables: {} }))).message).toContain('"w" is destroyed, or belongs');
});
