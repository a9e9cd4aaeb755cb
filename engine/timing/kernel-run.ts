// One implementation of a kernel, ready to be timed: a trial's inputs on the device, and a program that repeats one call
// (repeated-calls.ts).
//
// With `streamBytes` the calls cycle through enough copies of the matrices that none is still in a cache when it is used again. In a model
// the product of a single row is bound by memory; with one copy it would be timed from the cache.

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
import type { Device, Matrix, Tensor } from "../devices/device.ts";
import type { Call } from "../devices/program.ts";
import { RepeatedCalls, type Clock, type RunOptions } from "./repeated-calls.ts";

/** How an implementation is run. */
export interface KernelRunOptions extends RunOptions {
  /** bytes of matrices to cycle through, in copies; one copy by default, which may stay in a cache */
  readonly streamBytes?: number | undefined;
}

/** Most copies of the matrices: very small matrices stay in a cache all the same. */
const MOST_COPIES = 2048;

/** A trial's call on a device that can be sampled any number of times. */
export class KernelRun {
  readonly implementation: Implementation | undefined;
  readonly #device: Device;
  readonly #trial: Trial;
  readonly #options: KernelRunOptions;
  readonly #held: (Tensor | Matrix)[] = [];
  readonly #calls: Call[] = [];
  #repeated: RepeatedCalls | undefined;

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
      const { streamBytes: _, ...runOptions } = options;
      const repeated = { ...runOptions, implementation, isTested: false };
      run.#repeated = await RepeatedCalls.open(device, run.#calls, repeated);
      return run;
    } catch (error) {
      run.dispose();
      throw error;
    }
  }

  /** Calls of one run. */
  get callsPerRun(): number {
    return this.#repeated!.callsPerRun;
  }

  get clock(): Clock {
    return this.#repeated!.clock;
  }

  /** Seconds per call that cannot be told from none. */
  get resolution(): number {
    return this.#repeated!.resolution;
  }

  /** Copies of the matrices that calls cycle through. */
  get copies(): number {
    return this.#calls.length;
  }

  /** Runs the call once and returns the error of its results, and the first result that is out of bounds. */
  async check(): Promise<{ readonly error: TrialError; readonly violation: Violation | null }> {
    const { kernel, params, wanted } = this.#trial;
    const names = Object.keys(wanted);
    const reads = names.map((name) => {
      const tensor = this.#calls[0]!.buffers[name] as Tensor;
      return { tensor, begin: 0, end: tensor.length };
    });
    const arrays = await this.#device.run(this.#repeated!.executable, { variables: {}, reads, begin: 0, end: 1 });
    const got = Object.fromEntries(names.map((name, i) => [name, arrays[i]!]));
    const bound = boundOf(kernel, this.implementation, params);
    return { error: errorOf(this.#trial, got, bound), violation: compare(this.#trial, got, bound) };
  }

  /** Finds how many calls make a run long enough, and warms up by trying. */
  calibrate(): Promise<void> {
    return this.#repeated!.calibrate();
  }

  /** Seconds per call of one run. */
  sample(): Promise<number> {
    return this.#repeated!.sample();
  }

  dispose(): void {
    this.#repeated?.dispose();
    for (const one of this.#held) this.#device.destroy(one);
    this.#held.length = 0;
  }

  async #fill(): Promise<void> {
    const { arrays, packings, params } = this.#trial;
    const tensors: Record<string, Tensor> = {};
    for (const [name, array] of Object.entries(arrays)) {
      // the reference keeps caches as numbers: they are whole heads there, without slack
      const isCut = packings[name] !== undefined && this.#device.name === "reference";
      const data = isCut ? array.subarray(0, array.length - SLACK) : array;
      const type = data instanceof Uint32Array ? "u32" : "f32";
      const tensor = this.#device.createTensor(`timed.${name}`, type, data.length, "activations", {
        packing: packings[name],
      });
      tensors[name] = tensor;
      this.#held.push(tensor);
      this.#device.write({ tensor, data });
    }
    const first = await this.#matrices();
    const bytes = Object.values(first).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const copies =
      bytes === 0 ? 1 : Math.max(1, Math.min(MOST_COPIES, Math.ceil((this.#options.streamBytes ?? 0) / bytes)));
    const implementations = this.implementation ? [this.implementation] : [];
    const own = this.#device.implementationsOf(this.#trial.kernel);
    const isOwn = !this.implementation || own.includes(this.implementation);
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
}
