// Times recorded calls by repeating them: a run repeats them until it lasts long compared with the clock's resolution and the cost of
// starting a run.
//
// The clock is the device's own (`Device.timeRun`) if it has one that gives plausible times. Otherwise it is the wall clock around a run
// that reads one number back, minus the time of a run without calls.

import { headWords, type Implementation } from "../../kernels/index.ts";
import type { Device, Executable, Tensor } from "../devices/device.ts";
import type { Call } from "../devices/program.ts";

/** The clock of a time: the device's own, or the wall clock around a read-back. */
export type Clock = "device" | "wall";

/** How runs are made. */
export interface RunOptions {
  /** seconds that a run should last, 0.02 by default */
  readonly secondsPerRun?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** milliseconds of the wall clock; `performance.now` by default */
  readonly now?: (() => number) | undefined;
}

/** How calls are repeated. */
export interface RepeatedCallsOptions extends RunOptions {
  /** the implementation to use; by default the device's own choice without measured choices */
  readonly implementation?: Implementation | undefined;
  /** false skips known-answer tests, for callers that verify results themselves; true by default */
  readonly isTested?: boolean | undefined;
}

const SECONDS_PER_RUN = 0.02;
/** Most calls of a run: the device's program has an entry for each. */
const MOST_CALLS = 4096;
/** A run is long enough at this share of the wanted time. */
const NEAR = 0.6;
/** Largest factor by which a run grows from one try to the next, because first calls are slow. */
const GROWTH = 16;
const EMPTY_RUNS = 5;
/** Least difference of two times, in seconds, that each clock can be believed in: browsers round to 0.1 ms. */
const GRAIN: Readonly<Record<Clock, number>> = { device: 1e-4, wall: 1e-5 };

/** Calls without variables that can be sampled any number of times. The caller owns their buffers. */
export class RepeatedCalls {
  readonly #device: Device;
  readonly #calls: readonly Call[];
  readonly #options: RepeatedCallsOptions;
  #executable: Executable | undefined;
  #count = 0;
  #emptySeconds = 0;
  /** slowest of the empty runs less the fastest */
  #emptySpread = 0;
  clock: Clock;

  private constructor(device: Device, calls: readonly Call[], options: RepeatedCallsOptions) {
    this.#device = device;
    this.#calls = calls;
    this.#options = options;
    this.clock = device.timeRun ? "device" : "wall";
  }

  /** Prepares the calls, each once. Throws a DeviceError of kind "unfit" where the implementation does not fit them. */
  static async open(
    device: Device,
    calls: readonly Call[],
    options: RepeatedCallsOptions = {},
  ): Promise<RepeatedCalls> {
    const opened = new RepeatedCalls(device, calls, options);
    await opened.#prepare(calls.length);
    return opened;
  }

  /** Calls of one run. */
  get callsPerRun(): number {
    return this.#count;
  }

  /** Seconds per call that cannot be told from none: a shorter time says only that the call is too fast to time. */
  get resolution(): number {
    const grain = GRAIN[this.clock];
    return (this.clock === "device" ? grain : Math.max(grain, this.#emptySpread)) / this.#count;
  }

  /** The prepared program of the calls; `calibrate` replaces it. */
  get executable(): Executable {
    return this.#executable!;
  }

  /** Finds how many calls make a run long enough; the tries warm the device up. */
  async calibrate(): Promise<void> {
    const { secondsPerRun = SECONDS_PER_RUN, signal } = this.#options;
    const empty: number[] = [];
    for (let i = 0; i < EMPTY_RUNS; i++) empty.push(await this.#wall(0));
    empty.sort((a, b) => a - b);
    this.#emptySeconds = empty[EMPTY_RUNS >> 1]!;
    this.#emptySpread = empty[EMPTY_RUNS - 1]! - empty[0]!;
    const once = this.#calls.length;
    const most = Math.max(MOST_CALLS, once);
    let count = once;
    for (;;) {
      signal?.throwIfAborted();
      if (count !== this.#count) await this.#prepare(count);
      await this.#wall(count); // first runs are slower: memory pages are touched for the first time and code is still being compiled
      if (this.clock === "device" && !(await this.#isClockSound())) this.clock = "wall";
      const seconds = (await this.sample()) * count;
      if (seconds >= secondsPerRun * NEAR || count >= most) return;
      const wanted = count * Math.min(GROWTH, secondsPerRun / Math.max(seconds, 1e-9));
      count = Math.min(most, Math.ceil(wanted / once) * once);
    }
  }

  /** Seconds per call of one run. */
  async sample(): Promise<number> {
    this.#options.signal?.throwIfAborted();
    const count = this.#count;
    if (this.clock === "device") {
      return (await this.#device.timeRun!(this.executable, { variables: {}, begin: 0, end: count })) / count;
    }
    return Math.max(0, (await this.#wall(count)) - this.#emptySeconds) / count;
  }

  dispose(): void {
    this.#executable?.dispose();
    this.#executable = undefined;
  }

  /** Checks the device's clock: that of some drivers does not advance. */
  async #isClockSound(): Promise<boolean> {
    const device = await this.#device.timeRun!(this.executable, { variables: {}, begin: 0, end: this.#count });
    return device > 0 && device < 2 * (await this.#wall(this.#count)) + 1e-3;
  }

  async #wall(end: number): Promise<number> {
    const { now = () => performance.now() } = this.#options;
    const tensor = this.#output();
    const reads = [{ tensor, begin: 0, end: tensor.packing ? headWords(tensor.packing) : 1 }];
    const begin = now();
    await this.#device.run(this.executable, { variables: {}, reads, begin: 0, end });
    return (now() - begin) / 1000;
  }

  /** A tensor that the calls write. */
  #output(): Tensor {
    const { kernel, buffers } = this.#calls[0]!;
    const name = Object.keys(kernel.buffers).find((one) => buffers[one] && kernel.buffers[one]!.includes("write"))!;
    return buffers[name] as Tensor;
  }

  async #prepare(count: number): Promise<void> {
    this.dispose();
    const calls = Array.from({ length: count }, (_, i) => this.#calls[i % this.#calls.length]!);
    const { implementation, isTested = true, signal } = this.#options;
    this.#executable = await this.#device.prepare(
      { label: `timing ${calls[0]!.kernel.name}`, calls },
      {
        isTested,
        isTuned: false,
        only: implementation ? (_: Call, one: Implementation) => one === implementation : undefined,
        signal,
      },
    );
    this.#count = count;
  }
}
