// What the tests of the WebGPU device share: devices on the software adapter, numbers, small programs.

import { afterAll, afterEach, beforeEach, vi } from "vitest";
import { softwareGpu } from "./adapters.ts";
import { add } from "../../kernels/index.ts";
import type { Device, Tensor } from "../../engine/devices/device.ts";
import { ProgramBuilder, variable, type Program } from "../../engine/devices/program.ts";
import { openWebGpu, type WebGpuDevice, type WebGpuOptions } from "../../engine/devices/webgpu/webgpu-device.ts";

export { all, errorOf, numbers, sourceOf } from "./device-checks.ts";

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

/** A tensor that holds `data`. */
export function tensorOf(on: Device, data: Float32Array | Uint32Array, label = "tensor"): Tensor {
  const tensor = on.createTensor(label, data instanceof Uint32Array ? "u32" : "f32", data.length, "activations");
  on.write({ tensor, data });
  return tensor;
}

/** y = a + b, `rows` rows (a variable) of four numbers. */
export function adding(a: Tensor, b: Tensor, y: Tensor): Program {
  const builder = new ProgramBuilder("adding");
  builder.call(add, "blocks.0.add", { a, b, y }, { rows: variable("rows"), dim: 4 });
  return builder.build();
}
