// Times kernels on one device: every implementation that fits, in every requested call and format, in Node and in pages. The inputs
// of a call and the results of its reference are made once and shared by all devices and implementations.

import { DeviceError, UnsupportedError, type Device } from "kedge";
import { implementationsOn } from "kedge/devices";
import { measurePeak, STREAM_BYTES, timeKernel, type KernelTiming } from "kedge/timing";
import {
  cacheFormats,
  makeTrial,
  seededRandom,
  type Implementation,
  type MatrixFormat,
  type Trial,
} from "kedge/kernels";
import type { KernelRow, MeasuredDevice } from "./results.ts";
import type { Rival } from "./rival.ts";
import type { KernelCase } from "./shapes.ts";
import { sweptBy, type Sweep } from "./sweep.ts";

/** Formats of matrices, all of them. */
export const FORMATS: readonly MatrixFormat[] = ["f32", "f16", "bf16", "int8", "int4"];

/** Rows up to which a product is bound by reading its weights. */
const FEW_ROWS = 4;

/** What a device that is slow on purpose computes and reads to show its peak, and one whose peak nobody asks for. */
export const SLOW_PEAK = { multiplyAdds: 2 ** 20, bytes: 2 ** 20 };

/** What is measured, and how. */
export interface MeasureOptions {
  readonly cases: readonly KernelCase[];
  readonly formats: readonly MatrixFormat[];
  /** keeps implementations by their name */
  readonly isWanted: (implementation: string) => boolean;
  readonly rivals: readonly Rival[];
  /** values of overrides to try beside those that implementations set themselves */
  readonly sweeps?: readonly Sweep[];
  readonly rounds: number;
  readonly secondsPerRun: number;
  /** hot: weights may stay in a cache; cold: they come from memory; auto: cold for few rows, as in a model */
  readonly cache: "auto" | "hot" | "cold";
  readonly streamBytes?: number;
  /** bytes and multiply-adds of the peak's kernels, for tests */
  readonly peak?: { readonly multiplyAdds: number; readonly bytes: number };
  readonly onProgress?: (what: string) => void;
  readonly onRow?: (row: KernelRow) => void;
  readonly signal?: AbortSignal;
}

/** Calls with the formats they are to be timed in: kernels without matrices and caches have none. */
export function formattedCases({ cases, formats }: Pick<MeasureOptions, "cases" | "formats">) {
  return cases.flatMap((one): { one: KernelCase; format: MatrixFormat | undefined }[] => {
    const uses = Object.values(one.kernel.buffers);
    const hasMatrix = uses.some((use) => use.startsWith("matrix"));
    const hasCache = uses.some((use) => use.startsWith("cache"));
    if (!hasMatrix && !hasCache) return [{ one, format: undefined }];
    const known: readonly string[] = hasMatrix ? FORMATS : cacheFormats;
    return formats.filter((format) => known.includes(format)).map((format) => ({ one, format }));
  });
}

/** Trials by call and format; each may be large, so only the last is kept. */
export class Trials {
  #key = "";
  #trial: Trial | undefined;

  of(one: KernelCase, format: MatrixFormat | undefined): Trial {
    const key = JSON.stringify([one.list, one.kernel.name, one.label, one.size, format]);
    if (key === this.#key && this.#trial) return this.#trial;
    this.#trial = undefined;
    const options = { ...(format ? { format } : {}), ...(one.inputs ? { inputs: one.inputs } : {}) };
    this.#trial = makeTrial(one.kernel, one.sample, seededRandom(1), options);
    this.#key = key;
    return this.#trial;
  }
}

/** A device to measure, and the name it goes by. */
export interface OpenedDevice {
  readonly id: string;
  readonly device: Device;
  /** computes on the CPU what is meant for a GPU: its peak is measured with little work, and its matrices stay in a cache */
  readonly isSlow?: boolean;
}

/** The peaks of devices. */
export async function measureDevices(
  opened: readonly OpenedDevice[],
  { rounds, peak, signal, onProgress }: MeasureOptions,
): Promise<MeasuredDevice[]> {
  const measured: MeasuredDevice[] = [];
  for (const { id, device, isSlow } of opened) {
    onProgress?.(`${id}: measuring what it can do at most`);
    const sizes = peak ?? (device.name === "reference" || isSlow ? SLOW_PEAK : {});
    const found = await measurePeak(device, { rounds, ...sizes, signal });
    measured.push({ id, description: device.description, peak: found });
  }
  return measured;
}

/** Times all that is asked for on all devices, call by call. What a device cannot run is a row that says why. */
export async function measureKernels(opened: readonly OpenedDevice[], options: MeasureOptions): Promise<KernelRow[]> {
  const { isWanted, sweeps = [], signal, onProgress, onRow } = options;
  const rows: KernelRow[] = [];
  const trials = new Trials();
  for (const { one, format } of formattedCases(options)) {
    for (const { id, device, isSlow } of opened) {
      signal?.throwIfAborted();
      const known = implementationsOn(device, one.kernel);
      const wanted = known.filter((it) => isWanted(it?.name ?? "reference"));
      const swept = (await Promise.all(wanted.map((it) => (it ? sweptBy(it, sweeps) : [])))).flat();
      const own = [...wanted, ...swept];
      const others = options.rivals
        .filter(({ kernel, implementation }) => kernel === one.kernel.name && isOn(device, implementation))
        .map(({ implementation }) => implementation);
      const place = { id, format, isStreamed: false };
      const found: KernelRow[] = [];
      if (own.length + others.length > 0) {
        onProgress?.(`${id}: ${one.kernel.name} ${one.size}${format ? ` ${format}` : ""}`);
        found.push(...(await rowsOf(device, one, { ...place, trials, own, swept, others, isSlow }, options)));
      }
      // only where nothing was left out by its name does "nothing" say something of the device
      if (found.length === 0 && wanted.length === known.length) {
        const isForFormat = ({ formats }: Implementation) => !formats || !format || formats.includes(format);
        const why =
          known.length === 0
            ? "there is no implementation"
            : known.every((it) => it && !isForFormat(it))
              ? `no implementation takes ${format}`
              : "no implementation fits this call";
        found.push(refusal(one, place, why));
      }
      for (const row of found) {
        rows.push(row);
        onRow?.(row);
      }
    }
  }
  return rows;
}

/** Where a row belongs. */
interface Place {
  readonly id: string;
  readonly format: MatrixFormat | undefined;
  readonly isStreamed: boolean;
}

/** The rows of one call and format on one device. */
async function rowsOf(
  device: Device,
  one: KernelCase,
  asked: Place & {
    readonly trials: Trials;
    readonly own: readonly (Implementation | undefined)[];
    /** those of `own` that `--set` made */
    readonly swept: readonly Implementation[];
    readonly others: readonly Implementation[];
    readonly isSlow: boolean | undefined;
  },
  { rounds, secondsPerRun, cache, streamBytes = STREAM_BYTES, signal }: MeasureOptions,
): Promise<KernelRow[]> {
  const { format, own, swept, others } = asked;
  const trial = asked.trials.of(one, format);
  const isStreamed = !asked.isSlow && isCold(cache, trial);
  try {
    const timings = await timeKernel(device, one.kernel, one.sample, {
      trial,
      rounds,
      secondsPerRun,
      implementations: [...own, ...others],
      format,
      streamBytes: isStreamed ? streamBytes : undefined,
      signal,
    });
    return timings.map((timing) => {
      const { implementation } = timing;
      const isRival = others.some(({ name }) => name === implementation);
      const isSwept = swept.some(({ name }) => name === implementation);
      return rowOf(timing, one, { id: asked.id, isRival, isSwept, isStreamed });
    });
  } catch (error) {
    const isOfDevice = error instanceof UnsupportedError || error instanceof DeviceError;
    if (!isOfDevice || signal?.aborted) throw error;
    return [refusal(one, { ...asked, isStreamed }, error.message)];
  }
}

/** A row of something that a device cannot run. */
function refusal({ kernel, list, label, size }: KernelCase, { id, format, isStreamed }: Place, why: string): KernelRow {
  return {
    ...{ device: id, kernel: kernel.name, implementation: "none", isRival: false },
    ...(format ? { format } : {}),
    ...{ list, label, size, flops: 0, bytes: 0, isStreamed, cannot: why },
  };
}

function isOn({ name }: Device, implementation: Implementation): boolean {
  return name === "webgpu" ? "wgsl" in implementation : name in implementation;
}

function isCold(cache: MeasureOptions["cache"], { matrices, params }: Trial): boolean {
  if (Object.keys(matrices).length === 0 || cache === "hot") return false;
  return cache === "cold" || (params["rows"] ?? 1) <= FEW_ROWS;
}

/** JSON has no NaN and no Infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function rowOf(
  { kernel, implementation, format, cost, timed, error, failure }: KernelTiming,
  { list, label, size }: KernelCase,
  {
    id,
    isRival,
    isSwept,
    isStreamed,
  }: Omit<Place, "format"> & { readonly isRival: boolean; readonly isSwept: boolean },
): KernelRow {
  return {
    device: id,
    kernel,
    implementation,
    isRival,
    ...(isSwept ? { isSwept } : {}),
    ...(format ? { format } : {}),
    ...{ list, label, size },
    flops: cost?.flops ?? 0,
    bytes: cost?.bytes ?? 0,
    isStreamed,
    ...(timed
      ? {
          clock: timed.clock,
          callsPerRun: timed.callsPerRun,
          seconds: timed.seconds,
          samples: timed.samples,
          resolution: timed.resolution,
        }
      : {}),
    ...(error ? { largestError: finite(error.largest), errorOfBound: finite(error.ofBound) } : {}),
    ...(failure === undefined ? {} : { failure }),
  };
}
