// Which implementations of a kernel a device has, for all that try or time every one of them.

import type { Implementation, Kernel } from "../../kernels/index.ts";
import type { Device } from "./device.ts";

/** The implementations of a kernel on a device, best first; on the reference device its reference, `undefined`, which has no name. */
export function implementationsOn(
  device: Pick<Device, "name" | "implementationsOf">,
  kernel: Kernel,
): readonly (Implementation | undefined)[] {
  return device.name === "reference" ? [undefined] : device.implementationsOf(kernel);
}
