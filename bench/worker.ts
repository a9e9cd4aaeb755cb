// One model on one device in a process of its own: loads it, then measures a round whenever it is told to. So the peak of
// resident memory is that of this model alone, and rounds of several models and devices can be interleaved.

import { loadModel } from "kedge";
import { type DeviceName } from "kedge/devices";
import type { QuantizedFormat } from "kedge/kernels";
import { lengthsFor, measureSpeed, type Lengths, type Speed } from "./model-speed.ts";

/** What a worker is to measure; its one argument, as JSON. */
export interface Assignment extends Lengths {
  readonly folder: string;
  readonly device: DeviceName;
  /** what matrices are kept as; as stored by default */
  readonly quantize?: QuantizedFormat | undefined;
}

/** A model that is loaded and warm. */
export interface Loaded extends Lengths {
  readonly kind: "loaded";
  readonly seconds: number;
  readonly device: string;
  /** of weights on the device */
  readonly weightBytes: number;
  /** most bytes that the process had resident while loading */
  readonly peakBytes: number;
}

/** One round. */
export interface Round extends Speed {
  readonly kind: "round";
  readonly peakBytes: number;
}

/** What a worker says. */
export type Report = Loaded | Round | { readonly kind: "failed"; readonly message: string };

const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

function say(report: Report): void {
  process.send!(report);
}

function fail(error: unknown): void {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}

/** Works for a parent process until it hangs up. */
export async function work({ folder, device, promptTokens, tokens, quantize }: Assignment): Promise<void> {
  try {
    const begin = performance.now();
    const model = await loadModel(folder, { device, quantize });
    const seconds = (performance.now() - begin) / 1000;
    const sizes = lengthsFor(model, { promptTokens, tokens });
    const { weights: weightBytes } = model.memory();
    const loadPeak = peakBytes();
    await measureSpeed(model, sizes); // warms up
    process.on("message", () => {
      void measureSpeed(model, sizes).then((round) => say({ kind: "round", ...round, peakBytes: peakBytes() }), fail);
    });
    const { description } = model.device;
    say({ kind: "loaded", seconds, device: description, weightBytes, peakBytes: loadPeak, ...sizes });
  } catch (error) {
    fail(error);
  }
}
