// Choices among implementations that were made by measuring, as a device follows them. Where they come from, and how they are
// kept, is engine/tuning's business.

import type { Call } from "./program.ts";
import { bufferFormat } from "./tensor.ts";

/** What is known of an adapter and its driver, or of a processor, by name: times taken on one say nothing of another. */
export type DeviceIdentity = Readonly<Record<string, string | number | boolean>>;

/** The implementation that was found best for calls of one kind with begin..end rows. */
export interface MeasuredChoice {
  /** see `signatureOf` */
  readonly call: string;
  readonly begin: number;
  /** null: and all counts above */
  readonly end: number | null;
  readonly implementation: string;
}

interface Kept {
  readonly begin: number;
  readonly end: number;
  readonly implementation: string;
}

/** What a device follows in `prepare`. Choices that name something that does not fit, or is wrong here, do nothing. */
export class MeasuredChoices {
  readonly identity: DeviceIdentity;
  /** there is a GPU behind the device: worth measuring even when nobody asked */
  readonly isGpu: boolean;
  readonly #kept = new Map<string, Kept[]>();

  constructor(identity: DeviceIdentity, isGpu: boolean) {
    this.identity = identity;
    this.isGpu = isGpu;
  }

  /** How many there are. */
  get size(): number {
    return [...this.#kept.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Follows these in what is prepared from now on; earlier choices for the same calls and rows give way. */
  adopt(choices: Iterable<MeasuredChoice>): void {
    for (const { call, begin, end, implementation } of choices) {
      const others = (this.#kept.get(call) ?? []).filter((one) => one.begin !== begin);
      this.#kept.set(call, [...others, { begin, end: end ?? Number.POSITIVE_INFINITY, implementation }]);
    }
  }

  /** Follows none any more. */
  clear(): void {
    this.#kept.clear();
  }

  /** Those for a call. */
  of(call: Call): readonly Kept[] {
    return this.#kept.size === 0 ? [] : (this.#kept.get(signatureOf(call)) ?? []);
  }
}

/** The kind of a call: its kernel, its formats, which optional buffers it has, its fixed parameters. Rows are told apart beside it. */
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
