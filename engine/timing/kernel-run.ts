// One implementation of a kernel ready to be timed: a trial's inputs on the device, and a program of the same call over and
// over, as long as it takes for a run to outlast the clock's grain and the cost of starting it.
//
// Clocks: the device's own where it has one (`Device.timeRun`), else wall time around a run that reads one number back, less
// what a run of no calls takes. With `streamBytes` the calls walk over so many copies of the matrices that none is still in
// a cache when its turn comes again: a single row's product is bound by memory in a model, and would not be here otherwise.

import {
  boundOf,
  compare,
  errorOf,
  SLACK,
  type Implementation,
  type Trial,
  type TrialError,
  type Violation,
} from "../../kernels/index.ts";
import type { Device, Executable, Matrix, Tensor } from "../devices/device.ts";
import type { Call } from "../devices/program.ts";

/** What a time was taken with: the device's own clock, or the caller's around a read-back. */
export type Clock = "device" | "wall";

/** How a run is made. */
export interface KernelRunOptions {
  /** bytes of matrices to walk over, in copies; one copy by default, which a cache may hold */
  readonly streamBytes?: number;
  /** seconds that a run should last, 0.02 by default */
  readonly secondsPerRun?: number;
  readonly signal?: AbortSignal;
  /** milliseconds of the wall clock; `performance.now` by default */
  readonly now?: () => number;
}

const SECONDS_PER_RUN = 0.02;
/** Calls of a run at most: each has a place of its own in the device's program. */
const MOST_CALLS = 4096;
/** A run this much shorter than wanted is long enough. */
const NEAR = 0.6;
/** How much longer a run may become from one try to the next: first calls are slow. */
const GROWTH = 16;
const EMPTY_RUNS = 5;

/** A trial's call on a device, to be sampled as often as one likes. */
export class KernelRun {
  readonly implementation: Implementation | undefined;
  readonly #device: Device;
  readonly #trial: Trial;
  readonly #options: KernelRunOptions;
  readonly #held: (Tensor | Matrix)[] = [];
  readonly #calls: Call[] = [];
  #executable: Executable | undefined;
  #count = 1;
  #emptySeconds = 0;
  clock: Clock;

  private constructor(
    device: Device,
    trial: Trial,
    implementation: Implementation | undefined,
    options: KernelRunOptions,
  ) {
    this.#device = device;
    this.#trial = trial;
    this.#options = options;
    this.implementation = implementation;
    this.clock = device.timeRun ? "device" : "wall";
  }

  /**
   * Puts the trial on the device and prepares its call with one implementation, of the kernel's own or another's; on the
   * reference device there is none. It is not tested, see `check`. Throws a DeviceError of kind "unfit" where it does not
   * fit the call or the device.
   */
  static async open(
    device: Device,
    trial: Trial,
    implementation: Implementation | undefined,
    options: KernelRunOptions = {},
  ): Promise<KernelRun> {
    const run = new KernelRun(device, trial, implementation, options);
    try {
      await run.#fill();
      await run.#prepare(1);
      return run;
    } catch (error) {
      run.dispose();
      throw error;
    }
  }

  /** Calls of one run. */
  get callsPerRun(): number {
    return this.#count;
  }

  /** Copies of the matrices that calls walk over. */
  get copies(): number {
    return this.#calls.length;
  }

  /** Runs the call once: how far its results lie from the reference, and the first that is out of bounds. */
  async check(): Promise<{ readonly error: TrialError; readonly violation: Violation | null }> {
    const { kernel, params, wanted } = this.#trial;
    const names = Object.keys(wanted);
    const reads = names.map((name) => {
      const tensor = this.#calls[0]!.buffers[name] as Tensor;
      return { tensor, begin: 0, end: tensor.length };
    });
    const arrays = await this.#device.run(this.#executable!, { variables: {}, reads, begin: 0, end: 1 });
    const got = Object.fromEntries(names.map((name, i) => [name, arrays[i]!]));
    const bound = boundOf(kernel, this.implementation, params);
    return { error: errorOf(this.#trial, got, bound), violation: compare(this.#trial, got, bound) };
  }

  /** Finds how many calls make a run long enough, and warms up by trying. */
  async calibrate(): Promise<void> {
    const { secondsPerRun = SECONDS_PER_RUN, signal } = this.#options;
    const empty: number[] = [];
    for (let i = 0; i < EMPTY_RUNS; i++) empty.push(await this.#wall(0));
    this.#emptySeconds = empty.sort((a, b) => a - b)[EMPTY_RUNS >> 1]!;
    const copies = this.#calls.length;
    const most = Math.max(MOST_CALLS, copies);
    let count = copies;
    for (;;) {
      signal?.throwIfAborted();
      await this.#prepare(count);
      await this.#wall(count); // first runs are slower: pages are touched, code is still being compiled
      if (this.clock === "device" && !(await this.#isClockSound())) this.clock = "wall";
      const seconds = (await this.sample()) * count;
      if (seconds >= secondsPerRun * NEAR || count >= most) return;
      const wanted = count * Math.min(GROWTH, secondsPerRun / Math.max(seconds, 1e-9));
      count = Math.min(most, Math.ceil(wanted / copies) * copies);
    }
  }

  /** Seconds per call of one run. */
  async sample(): Promise<number> {
    this.#options.signal?.throwIfAborted();
    const count = this.#count;
    if (this.clock === "device") {
      return (await this.#device.timeRun!(this.#executable!, { variables: {}, begin: 0, end: count })) / count;
    }
    return Math.max(0, (await this.#wall(count)) - this.#emptySeconds) / count;
  }

  dispose(): void {
    this.#executable?.dispose();
    for (const one of this.#held) this.#device.destroy(one);
    this.#held.length = 0;
  }

  /** Some drivers offer a clock that stands still. */
  async #isClockSound(): Promise<boolean> {
    const device = await this.#device.timeRun!(this.#executable!, { variables: {}, begin: 0, end: this.#count });
    return device > 0 && device < 2 * (await this.#wall(this.#count)) + 1e-3;
  }

  async #wall(end: number): Promise<number> {
    const { now = () => performance.now() } = this.#options;
    const reads = [{ tensor: this.#output(), begin: 0, end: 1 }];
    const begin = now();
    await this.#device.run(this.#executable!, { variables: {}, reads, begin: 0, end });
    return (now() - begin) / 1000;
  }

  #output(): Tensor {
    const { kernel } = this.#trial;
    const name = Object.keys(kernel.buffers).find((one) => kernel.buffers[one]!.includes("write"))!;
    return this.#calls[0]!.buffers[name] as Tensor;
  }

  async #fill(): Promise<void> {
    const { arrays, packings, params } = this.#trial;
    const tensors: Record<string, Tensor> = {};
    for (const [name, array] of Object.entries(arrays)) {
      // the reference keeps caches as numbers: they are whole heads there, without slack
      const isCut = packings[name] !== undefined && this.#device.name === "reference";
      const data = isCut ? array.subarray(0, array.length - SLACK) : array;
      const type = data instanceof Uint32Array ? "u32" : "f32";
      const tensor = this.#device.createTensor(`timed.${name}`, type, data.length, "activations", packings[name]);
      tensors[name] = tensor;
      this.#held.push(tensor);
      this.#device.write({ tensor, data });
    }
    const first = await this.#matrices();
    const bytes = Object.values(first).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const copies = bytes === 0 ? 1 : Math.max(1, Math.ceil((this.#options.streamBytes ?? 0) / bytes));
    const implementations = this.implementation ? [this.implementation] : [];
    const isOwn = !this.implementation || this.#trial.kernel.implementations.includes(this.implementation);
    const kernel = isOwn ? this.#trial.kernel : { ...this.#trial.kernel, implementations };
    for (let copy = 0; copy < copies; copy++) {
      const weights = copy === 0 ? first : await this.#matrices();
      this.#calls.push({ kernel, label: `timed.${kernel.name}`, buffers: { ...tensors, ...weights }, params });
    }
  }

  /** The trial's matrices on the device; copies of the first call's, if it has been made and the device can. */
  async #matrices(): Promise<Record<string, Matrix>> {
    const made: Record<string, Matrix> = {};
    for (const [name, { bytes, ...shape }] of Object.entries(this.#trial.matrices)) {
      const known = this.#calls[0]?.buffers[name] as Matrix | undefined;
      const rowBytes = bytes.byteLength / shape.rows;
      const read = (begin: number, end: number) => Promise.resolve(bytes.slice(begin * rowBytes, end * rowBytes));
      const source = { label: `timed.${name}`, ...shape, read };
      made[name] =
        known && this.#device.copyMatrix
          ? this.#device.copyMatrix(known)
          : await this.#device.createMatrix(source, this.#options.signal);
      this.#held.push(made[name]);
    }
    return made;
  }

  async #prepare(count: number): Promise<void> {
    this.#executable?.dispose();
    this.#executable = undefined;
    const calls = Array.from({ length: count }, (_, i) => this.#calls[i % this.#calls.length]!);
    const { implementation } = this;
    const { signal } = this.#options;
    this.#executable = await this.#device.prepare(
      { label: `timing ${this.#trial.kernel.name}`, calls },
      {
        isTested: false,
        ...(implementation ? { only: (_: Call, one: Implementation) => one === implementation } : {}),
        ...(signal ? { signal } : {}),
      },
    );
    this.#count = count;
  }
}
