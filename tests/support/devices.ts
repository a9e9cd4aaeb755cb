// The devices that tests run on: the software GPU adapter stands in for a GPU.

import type { Device } from "kedge";
import type { DeviceOptions } from "kedge/devices";
import { openDevice, type DeviceName } from "kedge/devices";
import { softwareGpu } from "./adapters.ts";
import { isFullExtent } from "./extent.ts";

/** Every device. */
export const DEVICES: readonly DeviceName[] = ["reference", "wasm", "webgpu"];

/**
 * The devices of tests that repeat on each device what goldens and equivalences show there: all of them in full, else those that are
 * not simulated.
 */
export const FAST_DEVICES: readonly DeviceName[] = DEVICES.filter((name) => isFullExtent || name !== "webgpu");

/** Opens a device for a test; `webgpu` on the software adapter. */
export async function testDevice(name: DeviceName, options: DeviceOptions = {}): Promise<Device> {
  if (name !== "webgpu") return openDevice(name, { threads: 2, ...options });
  return openDevice(name, { ...options, webgpu: { gpu: await softwareGpu(), allowSoftware: true, ...options.webgpu } });
}
