// The known-answer test of every kernel on one device: each sample of each kernel, with each implementation that runs there,
// against the f64 reference. Devices test an implementation when it is first used; this tests all of them, for `kedge doctor`.

import {
  kernels,
  makeTrial,
  seededRandom,
  type Implementation,
  type Trial,
  type Violation,
} from "../../kernels/index.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import { implementationsOn } from "./implementations.ts";
import { DeviceError, type Device } from "./device.ts";
import { runTrialWith } from "./trial-run.ts";

/** What became of one implementation. */
export interface SelfTestResult {
  readonly kernel: string;
  readonly implementation: string;
  /** samples that it ran on and got right; those it is not made for do not count */
  readonly right: number;
  readonly wrong: readonly string[];
}

/** How a device is tested. */
export interface SelfTestOptions {
  /** most samples that an implementation gets right before the next is tried; all by default */
  readonly samples?: number | undefined;
  /** is told the name of each implementation before it is tried */
  readonly onProgress?: ((implementation: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const SELF_TEST_OPTIONS: OptionNames<SelfTestOptions> = { samples: true, onProgress: true, signal: true };

/** Tries every implementation of every kernel on the device. Throws a RangeError for `samples` below 1. */
export async function selfTest(device: Device, options: SelfTestOptions = {}): Promise<SelfTestResult[]> {
  checkOptions("selfTest", options, SELF_TEST_OPTIONS);
  wholeNumbers("selfTest", { samples: options.samples }, 1);
  const { samples = Number.POSITIVE_INFINITY, onProgress, signal } = options;
  const results: SelfTestResult[] = [];
  for (const kernel of kernels) {
    for (const implementation of implementationsOn(device, kernel)) {
      const wrong: string[] = [];
      let right = 0;
      onProgress?.(implementation?.name ?? "reference");
      for (const [index, sample] of kernel.samples.entries()) {
        signal?.throwIfAborted();
        if (right >= samples) break;
        const trial = makeTrial(kernel, sample, seededRandom(index + 1), {
          format: implementation?.formats?.[0] ?? "f32",
        });
        const violation = await runTrial(device, trial, implementation);
        if (violation === null) right++;
        else if (violation !== "not made for this") wrong.push(`sample ${index}: ${describe(violation)}`);
      }
      results.push({ kernel: kernel.name, implementation: implementation?.name ?? "reference", right, wrong });
    }
  }
  return results;
}

/** Runs one trial with one implementation: null when it is right, and `not made for this` when it does not fit the sample. */
export async function runTrial(
  device: Device,
  trial: Trial,
  implementation?: Implementation,
): Promise<Violation | null | "not made for this"> {
  const only = implementation ? (_: unknown, one: Implementation) => one === implementation : undefined;
  try {
    return await runTrialWith(device, trial, implementation, (program) => device.prepare(program, { only }));
  } catch (error) {
    if (error instanceof DeviceError && error.kind === "unfit") return "not made for this";
    throw error;
  }
}

function describe({ buffer, index, got, want }: Violation): string {
  return `${buffer}[${index}] is ${got}, not ${want}`;
}
