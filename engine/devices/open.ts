// Opens a device by name. `auto` takes a hardware GPU if there is one, through WebGPU or else through WebGL2, and wasm otherwise;
// it never takes a software adapter. The code of a device is loaded when that device is opened.

import { UnsupportedError } from "../../loaders/index.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import type { Device, DeviceName } from "./device.ts";
import type { WasmOptions } from "./wasm/wasm-options.ts";
import type { WebGlProbe } from "./webgl/webgl-probe.ts";
import type { WebGlOptions } from "./webgl/webgl-device.ts";
import type { WebGpuOptions } from "./webgpu/webgpu-device.ts";

/** A device by name, or `auto`. */
export type DeviceChoice = DeviceName | "auto";

/** Settings of the devices; each device reads its own. */
export interface DeviceOptions {
  /** threads of `wasm`; all cores by default */
  readonly threads?: number | undefined;
  /** only implementations with a fixed order of summation, and no tuning */
  readonly deterministic?: boolean | undefined;
  /** settings of `webgpu`, a device of the caller's own among them */
  readonly webgpu?: WebGpuOptions | undefined;
  readonly wasm?: WasmOptions | undefined;
  /** settings of `webgl`, a context of the caller's own among them */
  readonly webgl?: WebGlOptions | undefined;
}

/** The device that `auto` takes on this machine, and the reason. */
export interface DevicePick {
  readonly name: "webgpu" | "webgl" | "wasm";
  readonly reason: string;
}

/** Chooses the device that `auto` takes here. */
export async function chooseDevice(options: DeviceOptions = {}): Promise<DevicePick> {
  checkOptions("chooseDevice", options, DEVICE_OPTIONS);
  checkDevices("chooseDevice", options);
  const { probeAdapter } = await import("./webgpu/probe.ts");
  const probe = await probeAdapter(options.webgpu);
  if (probe.isAvailable && !probe.isSoftware) return { name: "webgpu", reason: `there is a GPU: ${probe.description}` };
  const lack = probe.isAvailable ? `the only GPU adapter, ${probe.description}, is a software one` : probe.reason;
  if (!("OffscreenCanvas" in globalThis || "document" in globalThis)) return { name: "wasm", reason: lack };
  const { probeWebGl } = await import("./webgl/webgl-probe.ts");
  return chooseWithoutWebGpu(lack, probeWebGl());
}

/** Chooses the device that `auto` takes in a browser that lacks a hardware WebGPU for the reason `lack`. */
export function chooseWithoutWebGpu(lack: string, webgl: WebGlProbe): DevicePick {
  if (!webgl.isAvailable) return { name: "wasm", reason: lack };
  if (webgl.isSoftware)
    return { name: "wasm", reason: `${lack}, and WebGL2's ${webgl.description} a software renderer` };
  return { name: "webgl", reason: `there is a GPU through WebGL2: ${webgl.description}; ${lack}` };
}

/** Throws a RangeError for settings of devices that do not exist or are out of range; `where` begins its message. */
export function checkDevices(where: string, { threads, wasm, webgpu, webgl }: DeviceOptions): void {
  wholeNumbers(where, { threads }, 1);
  if (wasm !== undefined) {
    checkOptions(`${where}, wasm`, wasm, WASM_OPTIONS);
    const { threads: own, maxMemoryBytes, linearMemoryBytes } = wasm;
    wholeNumbers(`${where}, wasm`, { threads: own, maxMemoryBytes, linearMemoryBytes }, 1);
  }
  if (webgpu !== undefined) {
    checkOptions(`${where}, webgpu`, webgpu, WEBGPU_OPTIONS);
    wholeNumbers(`${where}, webgpu`, { maxBindingBytes: webgpu.maxBindingBytes }, 1);
  }
  if (webgl !== undefined) {
    checkOptions(`${where}, webgl`, webgl, WEBGL_OPTIONS);
    wholeNumbers(`${where}, webgl`, { maxTextureSize: webgl.maxTextureSize }, 1);
  }
}

const WASM_OPTIONS: OptionNames<WasmOptions> = {
  threads: true,
  deterministic: true,
  maxMemoryBytes: true,
  linearMemoryBytes: true,
  shareMemory: true,
  implementations: true,
  modules: true,
};
const WEBGPU_OPTIONS: OptionNames<WebGpuOptions> = {
  adapter: true,
  gpu: true,
  powerPreference: true,
  device: true,
  allowSoftware: true,
  deterministic: true,
  maxBindingBytes: true,
  implementations: true,
};
const WEBGL_OPTIONS: OptionNames<WebGlOptions> = { context: true, maxTextureSize: true, implementations: true };

/** The settings of devices by name. */
export const DEVICE_OPTIONS: OptionNames<DeviceOptions> = {
  threads: true,
  deterministic: true,
  webgpu: true,
  wasm: true,
  webgl: true,
};

/**
 * Opens a device. Throws an UnsupportedError when this machine has none of that name, and a RangeError for settings that do not
 * exist or are out of range.
 */
export async function openDevice(choice: DeviceChoice = "auto", options: DeviceOptions = {}): Promise<Device> {
  checkOptions("openDevice", options, DEVICE_OPTIONS);
  checkDevices("openDevice", options);
  const { threads, deterministic } = options;
  const name = choice === "auto" ? (await chooseDevice(options)).name : choice;
  if (choice === "auto" && name === "webgl") {
    // gpu.js is an optional package
    return openDevice(name, options).catch((error: unknown) => {
      if (error instanceof UnsupportedError) return openDevice("wasm", options);
      throw error;
    });
  }
  switch (name) {
    case "reference": {
      const { ReferenceDevice } = await import("./reference/reference-device.ts");
      return new ReferenceDevice();
    }
    case "wasm": {
      const { openWasm } = await import("./wasm/wasm-device.ts");
      return openWasm({
        ...options.wasm,
        deterministic: deterministic ?? options.wasm?.deterministic,
        threads: threads ?? options.wasm?.threads,
      });
    }
    case "webgpu": {
      const { openWebGpu } = await import("./webgpu/webgpu-device.ts");
      return openWebGpu({ ...options.webgpu, deterministic: deterministic ?? options.webgpu?.deterministic });
    }
    case "webgl": {
      const { openWebGl } = await import("./webgl/webgl-device.ts");
      return openWebGl(options.webgl);
    }
    default:
      throw new UnsupportedError(
        `there is no device "${String(name satisfies never)}": use "auto", "webgpu", "webgl", "wasm" or "reference"`,
      );
  }
}
