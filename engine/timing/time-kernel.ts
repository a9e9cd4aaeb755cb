// Times a kernel: every implementation that fits a call is checked against the reference and then timed. Samples are taken in rounds over all
// implementations, so that a machine that slows down affects all of them alike.

import { costOf } from "../../kernels/costs.ts";
import {
  makeTrial,
  seededRandom,
  type Cost,
  type Implementation,
  type Kernel,
  type MatrixFormat,
  type Sample,
  type Trial,
  type TrialError,
  type Violation,
} from "../../kernels/index.ts";
import { DeviceError, type Device, type DeviceName } from "../devices/device.ts";
import { implementationsOn } from "../devices/implementations.ts";
import { checkOptions, numberInRange, wholeNumbers, type OptionNames } from "../options.ts";
import { KernelRun, type KernelRunOptions } from "./kernel-run.ts";
import type { Clock } from "./repeated-calls.ts";
import { spreadOf, type Spread } from "./spread.ts";

/** More bytes than the last-level cache of a common machine holds. */
export const STREAM_BYTES = 256 << 20;

/** How a kernel is timed. */
export interface TimeKernelOptions extends KernelRunOptions {
  /** the implementations to time, the kernel's own or others; by default all that `implementationsOn` returns */
  readonly implementations?: readonly (Implementation | undefined)[] | undefined;
  /** of the matrices and caches, f32 by default; a cache's is f32, f16 or int8 */
  readonly format?: MatrixFormat | undefined;
  /** samples of each implementation, 7 by default */
  readonly rounds?: number | undefined;
  /** false skips the comparison with the reference, which is slow for large shapes; true by default */
  readonly isChecked?: boolean | undefined;
  /** the inputs and what the reference makes of them, if they are at hand; else made from `seed` */
  readonly trial?: Trial | undefined;
  readonly seed?: number | undefined;
  /** is told what is under way, and how many of the implementations are ready or sampled */
  readonly onProgress?: ((what: string, done: number, of: number) => void) | undefined;
}

/** The result for one implementation. */
export interface KernelTiming {
  readonly kernel: string;
  readonly implementation: string;
  readonly device: DeviceName;
  readonly params: Readonly<Record<string, number>>;
  readonly absent: readonly string[];
  /** of its matrices and caches; absent where it has none */
  readonly format?: MatrixFormat;
  /** arithmetic and bytes of one call, by the kernel's definition; absent where the kernel states none */
  readonly cost?: Cost;
  /** distance from the reference; absent where nothing was compared */
  readonly error?: TrialError;
  /** the first result that is out of bounds: a wrong implementation is not timed */
  readonly violation?: Violation;
  /** why there is no time: it is wrong, or this machine failed it */
  readonly failure?: string;
  /** absent where there is no time */
  readonly timed?: {
    readonly clock: Clock;
    readonly callsPerRun: number;
    /** copies of the matrices that the calls cycled through; a single copy may have been in a cache */
    readonly copies: number;
    /** seconds per call, one number a run */
    readonly samples: readonly number[];
    /** of the samples */
    readonly seconds: Spread;
    /** seconds per call that the clock cannot tell from none; a median up to it says that the call is too fast to time */
    readonly resolution: number;
  };
}

const ROUNDS = 7;
const TIME_KERNEL_OPTIONS: OptionNames<TimeKernelOptions> = {
  implementations: true,
  format: true,
  rounds: true,
  isChecked: true,
  trial: true,
  seed: true,
  onProgress: true,
  streamBytes: true,
  secondsPerRun: true,
  signal: true,
  now: true,
};

/** True if an implementation is made for so many rows and for this format; the device finds out about the rest. */
function isMeantFor({ rows, formats }: Implementation, trial: Trial, format: MatrixFormat): boolean {
  const count = trial.params["rows"] ?? 1;
  const isForRows = count >= (rows?.min ?? 1) && count <= (rows?.max ?? Number.POSITIVE_INFINITY);
  return isForRows && (formats === undefined || formats.includes(format));
}

/**
 * Times the implementations of `kernel` that fit one call of it: `sample.params`, all optional buffers present but those in
 * `sample.absent`. Those that do not fit are left out; wrong ones come back with their error and without a time.
 */
export async function timeKernel(
  device: Device,
  kernel: Kernel,
  sample: Sample,
  options: TimeKernelOptions = {},
): Promise<KernelTiming[]> {
  checkOptions("timeKernel", options, TIME_KERNEL_OPTIONS);
  wholeNumbers("timeKernel", { rounds: options.rounds }, 1);
  wholeNumbers("timeKernel", { streamBytes: options.streamBytes, seed: options.seed }, 0);
  numberInRange("timeKernel", "secondsPerRun", options.secondsPerRun, "a number above 0", (seconds) => seconds > 0);
  const { format = "f32", rounds = ROUNDS, isChecked = true, seed = 1, signal, onProgress } = options;
  const trial = options.trial ?? makeTrial(kernel, sample, seededRandom(seed), { format, isAnswered: isChecked });
  const asked = options.implementations ?? implementationsOn(device, kernel);
  const fitting = asked.filter((one) => one === undefined || isMeantFor(one, trial, format));
  const ready: Ready[] = [];
  try {
    for (const [i, implementation] of fitting.entries()) {
      signal?.throwIfAborted();
      onProgress?.(`preparing ${implementation?.name ?? "reference"}`, i, fitting.length);
      const one = await open(device, trial, implementation, isChecked, options);
      if (one) ready.push(one);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [i, { run, samples }] of ready.entries()) {
        onProgress?.(`round ${round + 1} of ${rounds}`, i, ready.length);
        if (run) samples.push(await run.sample());
      }
    }
    const about = describe(device, trial, sample, format);
    return ready.map((one) => resultOf(about, one));
  } finally {
    for (const { run } of ready) run?.dispose();
  }
}

/** An implementation that fits: ready to be sampled, or found wrong. */
interface Ready {
  readonly name: string;
  readonly run?: KernelRun;
  readonly error?: TrialError;
  readonly violation?: Violation;
  readonly failure?: string;
  readonly samples: number[];
}

async function open(
  device: Device,
  trial: Trial,
  implementation: Implementation | undefined,
  isChecked: boolean,
  options: TimeKernelOptions,
): Promise<Ready | undefined> {
  const name = implementation?.name ?? "reference";
  let run: KernelRun | undefined;
  try {
    run = await KernelRun.open(device, trial, implementation, options);
    const checked = isChecked ? await run.check() : undefined;
    const violation = checked?.violation;
    if (violation) {
      run.dispose();
      const failure = `${violation.buffer}[${violation.index}] is ${violation.got}, not ${violation.want}`;
      return { name, error: checked.error, violation, failure, samples: [] };
    }
    await run.calibrate();
    return { name, run, ...(checked ? { error: checked.error } : {}), samples: [] };
  } catch (error) {
    run?.dispose();
    const demotion = device.demotions.find((one) => one.implementation === name);
    if (demotion) return { name, failure: demotion.reason, samples: [] };
    if (error instanceof DeviceError && error.kind === "unfit") return undefined;
    throw error;
  }
}

type About = Pick<KernelTiming, "kernel" | "device" | "params" | "absent" | "format" | "cost">;

function describe(device: Device, trial: Trial, { absent = [] }: Sample, format: MatrixFormat): About {
  const { kernel, params, arrays, matrices, packings } = trial;
  const names = [...Object.keys(matrices), ...Object.keys(packings)];
  const present = new Set([...Object.keys(arrays), ...names]);
  const formats = Object.fromEntries(names.map((name) => [name, format]));
  const cost = costOf(kernel)?.(params, { formats, present }, arrays);
  return {
    kernel: kernel.name,
    device: device.name,
    params,
    absent,
    ...(names.length > 0 ? { format } : {}),
    ...(cost ? { cost } : {}),
  };
}

function resultOf(about: About, { name, run, samples, error, violation, failure }: Ready): KernelTiming {
  return {
    ...about,
    implementation: name,
    ...(error ? { error } : {}),
    ...(violation ? { violation } : {}),
    ...(failure === undefined ? {} : { failure }),
    ...(run && samples.length > 0
      ? {
          timed: {
            clock: run.clock,
            callsPerRun: run.callsPerRun,
            copies: run.copies,
            samples,
            seconds: spreadOf(samples),
            resolution: run.resolution,
          },
        }
      : {}),
  };
}
