import { expect, it } from "vitest";
import { multiplyAdd, readThrough } from "../../kernels/index.ts";
import { DEVICES, testDevice } from "../../tests/support/devices.ts";
import { measurePeak } from "./peak.ts";
import { timeKernel } from "./time-kernel.ts";

it.each(DEVICES)("the kernels of the peak compute what they say on %s", async (name) => {
  const device = await testDevice(name);
  try {
    for (const kernel of [multiplyAdd, readThrough]) {
      const [timing] = await timeKernel(device, kernel, kernel.samples[0]!, { rounds: 1, secondsPerRun: 1e-6 });
      expect(timing!.failure).toBeUndefined();
      expect(timing!.error!.ofBound).toBeLessThanOrEqual(1);
    }
    const peak = await measurePeak(device, { multiplyAdds: 1000, bytes: 1000, rounds: 1, secondsPerRun: 1e-6 });
    expect(Object.keys(peak)).toEqual(["flopsPerSecond", "bytesPerSecond"]);
  } finally {
    await device.dispose();
  }
});
