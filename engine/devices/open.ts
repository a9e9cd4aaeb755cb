// Opening a device by name, and what `auto` takes: a hardware GPU if there is one, else wasm. Software adapters are never
// chosen by themselves. Each device's code is loaded when it is asked for.

import { UnsupportedError } from "../../loaders/index.ts";
import type { Device, DeviceName } from "./device.ts";
import type { WasmOptions } from "./wasm/wasm-device.ts";
import type { WebGpuOptions } from "./webgpu/webgpu-device.ts";

/** A device by name, or `auto`. */
export type DeviceChoice = DeviceName | "auto";

/** Settings of the devices; each takes what concerns it. */
export interface DeviceOptions {
  /** threads of `wasm`; all cores by default */
  readonly threads?: number;
  /** only implementations with a fixed order of summation, and no tuning */
  readonly deterministic?: boolean;
  /** settings of `webgpu`, a device of the caller's own among them */
  readonly webgpu?: WebGpuOptions;
  readonly wasm?: WasmOptions;
}

/** What `auto` takes on this machine, and why. */
export interface Choice {
  readonly name: "webgpu" | "wasm";
  readonly reason: string;
}

/** Decides what `auto` means here. */
export async function chooseDevice(options: DeviceOptions = {}): Promise<Choice> {
  const { probeWebGpu } = await import("./webgpu/probe.ts");
  const probe = await probeWebGpu(options.webgpu);
  if (!probe.isAvailable) return { name: "wasm", reason: probe.reason };
  if (probe.isSoftware) {
    return { name: "wasm", reason: `the only GPU adapter, ${probe.description}, is a software one` };
  }
  return { name: "webgpu", reason: `there is a GPU: ${probe.description}` };
}

/** Opens a device. Throws an UnsupportedError when this machine has none of that name. */
export async function openDevice(choice: DeviceChoice = "auto", options: DeviceOptions = {}): Promise<Device> {
  const { threads, deterministic } = options;
  const common = deterministic === undefined ? {} : { deterministic };
  const name = choice === "auto" ? (await chooseDevice(options)).name : choice;
  switch (name) {
    case "reference": {
      const { ReferenceDevice } = await import("./reference/reference-device.ts");
      return new ReferenceDevice();
    }
    case "wasm": {
      const { openWasm } = await import("./wasm/wasm-device.ts");
      return openWasm({ ...options.wasm, ...common, ...(threads === undefined ? {} : { threads }) });
    }
    case "webgpu": {
      const { openWebGpu } = await import("./webgpu/webgpu-device.ts");
      return openWebGpu({ ...options.webgpu, ...common });
    }
    default:
      throw new UnsupportedError(
        `there is no device "${String(name satisfies never)}": use "auto", "webgpu", "wasm" or "reference"`,
      );
  }
}
