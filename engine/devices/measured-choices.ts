// Measured choices among implementations, as devices follow them. engine/tuning makes and stores them.

import type { Call } from "./program.ts";
import { bufferFormat } from "./tensor.ts";

/** Names an adapter and its driver, or a processor: times measured on one do not hold for another. */
export type DeviceIdentity = Readonly<Record<string, string | number | boolean>>;

/** The implementation that was fastest for calls of one kind with begin..end rows. */
export interface MeasuredChoice {
  /** see `signatureOf` */
  readonly call: string;
  readonly begin: number;
  /** null: without limit */
  readonly end: number | null;
  readonly implementation: string;
}

interface Kept {
  readonly begin: number;
  readonly end: number;
  readonly implementation: string;
}

/** The choices that a device follows in `prepare`. A choice whose implementation does not fit, or is wrong here, has no effect. */
export class MeasuredChoices {
  readonly identity: DeviceIdentity;
  /** the device is a GPU, on which kernels are timed at the first load */
  readonly isGpu: boolean;
  readonly #kept = new Map<string, Kept[]>();

  constructor(identity: DeviceIdentity, isGpu: boolean) {
    this.identity = identity;
    this.isGpu = isGpu;
  }

  /** The number of choices. */
  get size(): number {
    return [...this.#kept.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Adds choices for programs prepared from now on; they replace earlier ones for the same calls and rows. */
  adopt(choices: Iterable<MeasuredChoice>): void {
    for (const { call, begin, end, implementation } of choices) {
      const others = (this.#kept.get(call) ?? []).filter((one) => one.begin !== begin);
      this.#kept.set(call, [...others, { begin, end: end ?? Number.POSITIVE_INFINITY, implementation }]);
    }
  }

  /** Forgets all choices. */
  clear(): void {
    this.#kept.clear();
  }

  /** The choices for a call. */
  of(call: Call): readonly Kept[] {
    return this.#kept.size === 0 ? [] : (this.#kept.get(signatureOf(call)) ?? []);
  }
}

/** The kind of a call: its kernel, formats, present optional buffers and fixed parameters, without the count of rows. */
export function signatureOf({ kernel, buffers, params }: Call): string {
  const used = Object.entries(kernel.buffers).flatMap(([name, use]) => {
    const buffer = buffers[name];
    const format = buffer && bufferFormat(buffer);
    if (format !== undefined) return [`${name}:${format}`];
    return buffer && use.endsWith("optional") ? [name] : [];
  });
  const fixed = Object.keys(kernel.params).flatMap((name) => {
    const value = params[name];
    return name === "rows" || typeof value !== "number" ? [] : [`${name}=${value}`];
  });
  return [kernel.name, ...used, ...fixed].join(" ");
}
