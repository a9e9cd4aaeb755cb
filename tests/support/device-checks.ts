// What the tests of all devices share: numbers to compute with, and the error of a call that must fail.

import { expect } from "vitest";
import { DeviceError, type MatrixSource, type Read, type Tensor } from "../../engine/devices/device.ts";
import { seededRandom } from "../../kernels/index.ts";

/** Normal numbers, rounded to f32, the same for the same seed. */
export function numbers(length: number, seed = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => random.normal());
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

/** The DeviceError that the promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<DeviceError> {
  const error = await promise.then(
    () => expect.fail("nothing was thrown"),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(DeviceError);
  return error as DeviceError;
}
