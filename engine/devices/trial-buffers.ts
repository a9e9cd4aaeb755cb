// The inputs of a known-answer test, put on a device.

import type { Trial } from "../../kernels/index.ts";
import type { Device, Matrix, Read, Tensor } from "./device.ts";

/** What it takes to put numbers on a device. */
type Host = Pick<Device, "createTensor" | "createMatrix" | "write">;

/** Makes the buffers of a trial, adds each to `buffers` as soon as it is there, and says how to read what the kernel writes. */
export async function fillTrial(
  host: Host,
  label: string,
  { arrays, matrices, packings, wanted }: Trial,
  buffers: Record<string, Tensor | Matrix>,
): Promise<Readonly<Record<string, Read>>> {
  for (const [name, { bytes, ...shape }] of Object.entries(matrices)) {
    const rowBytes = bytes.byteLength / shape.rows;
    const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes));
    buffers[name] = await host.createMatrix({ label: `${label}, ${name}`, ...shape, read });
  }
  const tensors: Record<string, Tensor> = {};
  for (const [name, data] of Object.entries(arrays)) {
    const type = data instanceof Uint32Array ? "u32" : "f32";
    const tensor = host.createTensor(`${label}, ${name}`, type, data.length, "activations", packings[name]);
    buffers[name] = tensors[name] = tensor;
    host.write({ tensor, data });
  }
  return Object.fromEntries(
    Object.keys(wanted).map((name) => [name, { tensor: tensors[name]!, begin: 0, end: tensors[name]!.length }]),
  );
}
