// Recorded calls run again and again on a clock: as often as it takes for a run to outlast the clock's grain and the cost of
// starting it.
//
// Clocks: the device's own where it has one (`Device.timeRun`) that can be believed, else wall time around a run that reads one
// number back, less what a run of no calls takes.

import { headWords, type Implementation } from "../../kernels/index.ts";
import type { Device, Executable, Tensor } from "../devices/device.ts";
import type { Call } from "../devices/program.ts";

/** What a time was taken with: the device's own clock, or the caller's around a read-back. */
export type Clock = "device" | "wall";

/** How runs are made. */
export interface RunOptions {
  /** seconds that a run should last, 0.02 by default */
  readonly secondsPerRun?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** milliseconds of the wall clock; `performance.now` by default */
  readonly now?: (() => number) | undefined;
}

/** Which calls, and what with. */
export interface RepeatedCallsOptions extends RunOptions {
  /** the only one to use; what the device takes by itself, measured choices aside, by default */
  readonly implementation?: Implementation | undefined;
  /** false: implementations are taken without a known-answer test, by who checks their results; true by default */
  readonly isTested?: boolean | undefined;
}

const SECONDS_PER_RUN = 0.02;
/** Calls of a run at most: each has a place of its own in the device's program. */
const MOST_CALLS = 4096;
/** A run this much shorter than wanted is long enough. */
const NEAR = 0.6;
/** How much longer a run may become from one try to the next: first calls are slow. */
const GROWTH = 16;
const EMPTY_RUNS = 5;
/** Least difference of two times, in seconds, that each clock can be believed in: browsers round to 0.1 ms. */
const GRAIN: Readonly<Record<Clock, number>> = { device: 1e-4, wall: 1e-5 };

/** Calls without variables, to be sampled as often as one likes. Their buffers stay the caller's. */
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

  /** What the device made of them; another after `calibrate`. */
  get executable(): Executable {
    return this.#executable!;
  }

  /** Finds how many calls make a run long enough, and warms up by trying. */
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
      await this.#wall(count); // first runs are slower: pages are touched, code is still being compiled
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

  /** Some drivers offer a clock that stands still. */
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

  /** Something that the calls write. */
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
