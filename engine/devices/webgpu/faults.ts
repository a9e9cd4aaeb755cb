// The errors of a device, and which calls reject with them. WebGPU reports errors apart from the calls that caused them, so every
// pending call rejects; an error that comes while no call is pending rejects the next one. After a device is lost or disposed, every
// call rejects.

import { DeviceError } from "../device.ts";

/** The faults of one device. */
export class Faults {
  readonly #pending = new Set<(error: DeviceError) => void>();
  #final: DeviceError | undefined;
  #unheard: DeviceError | undefined;

  /** True once the device is lost or disposed. */
  get isEnded(): boolean {
    return this.#final !== undefined;
  }

  /** Throws the DeviceError of a device that is lost or disposed. */
  throwIfEnded(): void {
    if (this.#final) throw this.#final;
  }

  /** Rejects every pending call with `error`, or the next call if none is pending. */
  report(error: DeviceError): void {
    if (this.#pending.size === 0) this.#unheard ??= error;
    for (const reject of this.#pending) reject(error);
  }

  /** Rejects pending and all later calls with `error`. */
  end(error: DeviceError): void {
    if (this.#final) return;
    this.#final = error;
    for (const reject of this.#pending) reject(error);
  }

  /** Runs `work` as a pending call; errors of a device that has ended become its DeviceError. */
  guard<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const unheard = this.#final ?? this.#unheard;
      if (unheard) {
        this.#unheard = undefined;
        reject(unheard);
        return;
      }
      this.#pending.add(reject);
      work()
        .then(
          (value) => (this.#final ? reject(this.#final) : resolve(value)),
          (error: unknown) => reject(this.#final ?? error),
        )
        .finally(() => this.#pending.delete(reject));
    });
  }
}

/** A WebGPU error as a DeviceError that says where it happened. */
export function deviceErrorOf(error: GPUError, where: string): DeviceError {
  const isMemory = error.constructor.name === "GPUOutOfMemoryError";
  return new DeviceError(isMemory ? "out-of-memory" : "failed", `${where}: ${error.message.trim()}`);
}
