// A trial on a device: its inputs put into buffers, its one call run, its outputs compared with the reference.

import { boundOf, compare, type Implementation, type Trial, type Violation } from "../../kernels/index.ts";
import type { Device, Executable, Matrix, Read, Tensor } from "./device.ts";
import { untilAbortedOrLate } from "./dispose-late.ts";
import type { Program } from "./program.ts";

/** The parts of a device that a trial needs. */
export type TrialDevice = Pick<Device, "createTensor" | "createMatrix" | "write" | "run" | "destroy">;

/**
 * Runs a trial, with a program that `open` makes of its one call. Returns the first output that is out of the implementation's
 * bound, or null if there is none. The buffers and the program are gone afterwards. Rejects with what `open` and the device throw, and
 * with the signal's reason while `open` is at work.
 */
export async function runTrialWith<E extends Executable>(
  device: TrialDevice,
  trial: Trial,
  implementation: Implementation | undefined,
  open: (program: Program) => Promise<E>,
  {
    whenRight,
    signal,
  }: { whenRight?: ((executable: E) => Promise<unknown>) | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Violation | null> {
  const { kernel, params } = trial;
  const label = `trial of ${implementation?.name ?? kernel.name}`;
  const buffers: Record<string, Tensor | Matrix> = {};
  let executable: E | undefined;
  try {
    signal?.throwIfAborted();
    const reads = await fill(device, label, trial, buffers);
    executable = await untilAbortedOrLate(open({ label, calls: [{ kernel, label, buffers, params }] }), signal);
    const arrays = await device.run(executable, { variables: {}, reads: Object.values(reads) });
    const got = Object.fromEntries(Object.keys(reads).map((name, i) => [name, arrays[i]!]));
    const violation = compare(trial, got, boundOf(kernel, implementation, params));
    if (violation === null) await whenRight?.(executable);
    return violation;
  } finally {
    executable?.dispose();
    for (const buffer of Object.values(buffers)) device.destroy(buffer);
  }
}

/** Makes the buffers of a trial, adds each to `buffers` as soon as it exists, and returns how to read what the kernel writes. */
async function fill(
  device: TrialDevice,
  label: string,
  { arrays, matrices, packings, wanted }: Trial,
  buffers: Record<string, Tensor | Matrix>,
): Promise<Readonly<Record<string, Read>>> {
  for (const [name, { bytes, ...shape }] of Object.entries(matrices)) {
    const rowBytes = bytes.byteLength / shape.rows;
    const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes));
    buffers[name] = await device.createMatrix({ label: `${label}, ${name}`, ...shape, read });
  }
  const tensors: Record<string, Tensor> = {};
  for (const [name, data] of Object.entries(arrays)) {
    const type = data instanceof Uint32Array ? "u32" : "f32";
    const tensor = device.createTensor(`${label}, ${name}`, type, data.length, "activations", {
      packing: packings[name],
    });
    buffers[name] = tensors[name] = tensor;
    device.write({ tensor, data });
  }
  return Object.fromEntries(
    Object.keys(wanted).map((name) => [name, { tensor: tensors[name]!, begin: 0, end: tensors[name]!.length }]),
  );
}
