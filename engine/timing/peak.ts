// Measures the peak rates of a device: the best times of a kernel that only multiplies and adds, and of one that only reads.

import { multiplyAdd, readThrough, type Sample } from "../../kernels/index.ts";
import type { Device } from "../devices/device.ts";
import { checkOptions, numberInRange, wholeNumbers, type OptionNames } from "../options.ts";
import { timeKernel, type TimeKernelOptions } from "./time-kernel.ts";

/** Rates that no kernel on the device should beat; absent where the device has no kernel to measure one with. */
export interface Peak {
  /** f32 operations a second, a multiply-add counted as two */
  readonly flopsPerSecond?: number;
  /** bytes a second, read in order from more memory than a core's own caches hold */
  readonly bytesPerSecond?: number;
}

/** How much is computed and read. */
export interface PeakOptions extends Pick<TimeKernelOptions, "rounds" | "secondsPerRun" | "signal" | "now"> {
  /** multiply-adds of a call, rounded up; 2^28 by default */
  readonly multiplyAdds?: number | undefined;
  /** bytes that a call reads, rounded up; 64 MiB by default */
  readonly bytes?: number | undefined;
}

const PEAK_OPTIONS: OptionNames<PeakOptions> = {
  multiplyAdds: true,
  bytes: true,
  rounds: true,
  secondsPerRun: true,
  signal: true,
  now: true,
};
const COUNT = 1 << 20;
const CHUNK_BYTES = 16384;

/** Measures the peak rates of a device. */
export async function measurePeak(device: Device, options: PeakOptions = {}): Promise<Peak> {
  checkOptions("measurePeak", options, PEAK_OPTIONS);
  wholeNumbers("measurePeak", { multiplyAdds: options.multiplyAdds, bytes: options.bytes, rounds: options.rounds }, 1);
  numberInRange("measurePeak", "secondsPerRun", options.secondsPerRun, "a number above 0", (seconds) => seconds > 0);
  const { multiplyAdds = 2 ** 28, bytes = 64 << 20, ...rest } = options;
  const count = Math.min(COUNT, Math.ceil(multiplyAdds / 32) * 32);
  const steps = Math.ceil(multiplyAdds / count);
  const computing = { params: { count, steps, factor: 0.5, addend: 0.25 } };
  const flopsPerSecond = await best(device, multiplyAdd, computing, "flops", rest);
  const reading = { params: { chunks: Math.ceil(bytes / CHUNK_BYTES) } };
  const bytesPerSecond = await best(device, readThrough, reading, "bytes", rest);
  return {
    ...(flopsPerSecond === undefined ? {} : { flopsPerSecond }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
}

async function best(
  device: Device,
  kernel: typeof multiplyAdd | typeof readThrough,
  sample: Sample,
  unit: "flops" | "bytes",
  options: TimeKernelOptions,
): Promise<number | undefined> {
  const timings = await timeKernel(device, kernel, sample, { ...options, isChecked: false });
  const rates = timings.flatMap(({ timed, cost }) => (timed ? [cost![unit] / timed.seconds.least] : []));
  return rates.length === 0 ? undefined : Math.max(...rates);
}
