// What the tests of the WebGPU device share: devices on the software adapter, numbers, small programs.

import { afterAll, afterEach, beforeEach, expect, vi } from "vitest";
import { softwareGpu } from "./adapters.ts";
import { add, seededRandom } from "../../kernels/index.ts";
import { DeviceError, type Device, type MatrixSource, type Read, type Tensor } from "../../engine/devices/device.ts";
import { ProgramBuilder, variable, type Program } from "../../engine/devices/program.ts";
import { openWebGpu, type WebGpuDevice, type WebGpuOptions } from "../../engine/devices/webgpu/webgpu-device.ts";

const opened: Device[] = [];
beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => Promise.all(opened.map((one) => one.dispose())));

/** A device on the software adapter, disposed after the file's last test. */
export async function open(options: WebGpuOptions = {}): Promise<WebGpuDevice> {
  const one = await openWebGpu({ gpu: await softwareGpu(), ...options });
  opened.push(one);
  return one;
}

/** Normal numbers, the same for the same seed. */
export function numbers(length: number, seed = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => random.normal());
}

/** A tensor that holds `data`. */
export function tensorOf(on: Device, data: Float32Array | Uint32Array, label = "tensor"): Tensor {
  const tensor = on.createTensor(label, data instanceof Uint32Array ? "u32" : "f32", data.length, "activations");
  on.write({ tensor, data });
  return tensor;
}

/** Weights in f32, as a file would give them. */
export function sourceOf(rows: number, columns: number, weights: Float32Array, label = "weights"): MatrixSource {
  const read = (begin: number, end: number) =>
    Promise.resolve(new Uint8Array(weights.slice(begin * columns, end * columns).buffer));
  return { label, rows, columns, format: "f32", read };
}

/** All numbers of a tensor. */
export function all(tensor: Tensor): Read {
  return { tensor, begin: 0, end: tensor.length };
}

/** y = a + b, `rows` rows (a variable) of four numbers. */
export function adding(a: Tensor, b: Tensor, y: Tensor): Program {
  const builder = new ProgramBuilder("adding");
  builder.call(add, "blocks.0.add", { a, b, y }, { rows: variable("rows"), dim: 4 });
  return builder.build();
}

/** The DeviceError that the promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<DeviceError> {
  const error = await promise.then(
    () => expect.fail("nothing was thrown"),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(DeviceError);
  return error as DeviceError;
}
