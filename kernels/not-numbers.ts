// Trials with NaN or Infinity in one of their inputs. Where the reference gives NaN or Infinity, no implementation may give a number; where
// the reference stays finite, implementations must be right. Only tests import this file.

import type { Bound, Implementation, Kernel, Sample } from "./kernel.ts";
import type { MatrixFormat } from "./matrix/matrix.ts";
import { makeTrial, seededRandom, SLACK, type Trial, type Violation } from "./trial.ts";

/** Outputs that say nothing where there is no largest number: `total` says so. */
const VAGUE = new Set(["top-k values", "top-k columnOf"]);

/** A trial, and whether all else must be right: Infinity may become NaN, and a head's bias may reach keys that it is not for. */
export interface TrialWithNone {
  readonly trial: Trial;
  readonly isStrict: boolean;
}

/** A trial for NaN and for Infinity in each buffer of numbers that a sample has. */
export function trialsWithNone(kernel: Kernel, sample: Sample, format: MatrixFormat = "f32"): TrialWithNone[] {
  const buffers = Object.entries(kernel.buffers).filter(([name, use]) => {
    if (sample.absent?.includes(name) || use.startsWith("write") || use.endsWith("u32")) return false;
    return use.startsWith("matrix") ? format === "f32" : use !== "cache read-write";
  });
  return buffers.flatMap(([buffer], place) =>
    [NaN, Infinity].map((value) => {
      const planted = { buffer, index: 7 * place + 5, value };
      const trial = makeTrial(kernel, sample, seededRandom(place + 1), { format, planted });
      return { trial, isStrict: Number.isNaN(value) && buffer !== "headBiases" };
    }),
  );
}

/** Whether an output says of NaN that it is there: packed ones do not. */
function isTelling({ kernel, packings }: Trial, buffer: string): boolean {
  return (packings[buffer]?.format ?? "f32") === "f32" && !VAGUE.has(`${kernel.name} ${buffer}`);
}

/** The first output that is a number where the reference has none, or a wrong one where it has one; null if there is none. */
export function madeUp(
  { trial, isStrict }: TrialWithNone,
  got: Readonly<Record<string, Float32Array | Uint32Array>>,
  { absolute, relative }: Bound,
): Violation | null {
  for (const [buffer, wants] of Object.entries(trial.wanted)) {
    if (!isTelling(trial, buffer)) continue;
    for (let index = 0; index < wants.length - SLACK; index++) {
      const [value, want] = [got[buffer]![index]!, wants[index]!];
      const isRight = Number.isFinite(want)
        ? Math.abs(value - want) <= absolute + relative * Math.abs(want) || (!isStrict && Number.isNaN(value))
        : !Number.isFinite(value);
      if (!isRight) return { buffer, index, got: value, want };
    }
  }
  return null;
}

/**
 * Trials of an implementation's first known-answer setting with NaN in one input each, to be compared as other trials are: outputs
 * that say nothing of NaN, and packed ones, are left out.
 */
export function trialsWithNaN(kernel: Kernel, { rows, formats }: Implementation): Trial[] {
  const [sample] = kernel.samples;
  const count = Math.min(rows?.max ?? Infinity, Math.max(rows?.min ?? 1, sample!.params["rows"] ?? 1));
  const params = { ...sample!.params, ...("rows" in sample!.params && { rows: count }) };
  const trials = trialsWithNone(kernel, { ...sample!, params }, formats?.[0] as MatrixFormat | undefined);
  return trials.flatMap(({ trial, isStrict }) => {
    const wanted = Object.entries(trial.wanted).filter(([name]) => isTelling(trial, name));
    return isStrict ? [{ ...trial, wanted: Object.fromEntries(wanted) }] : [];
  });
}
