// Loads measured choices from their store into a device, and stores new ones.

import type { Device } from "../devices/device.ts";
import { checkOptions } from "../options.ts";
import { VERSION } from "../version.ts";
import { readDocument, type ChoiceStore } from "./choice-store.ts";
import { choicesFor, withChoices, type ChoiceKey, type ChoiceRecord, type KernelChoice } from "./kept-choices.ts";
import { openChoiceStore } from "./open-choice-store.ts";
import {
  TUNE_KERNELS_OPTIONS,
  tuneKernels,
  type KernelTuning,
  type TunedModel,
  type TuneKernelsOptions,
} from "./tune-kernels.ts";

export { TUNE_KERNELS_OPTIONS };

/** How loading a model uses measured choices. */
export type TuneMode = "never" | "kept" | "quick";

/** The stored choices and their place. */
export interface KeptChoices {
  /** a path, or the name of a database; null where nothing can be kept */
  readonly place: string | null;
  readonly records: readonly ChoiceRecord[];
}

/** The choices that this machine, or this page, has stored. */
export async function keptKernelChoices(): Promise<KeptChoices> {
  const store = await openChoiceStore();
  return store ? { place: store.place, records: (await readDocument(store)).records } : { place: null, records: [] };
}

/** Deletes all stored choices. */
export async function forgetKernelChoices(): Promise<void> {
  await (await openChoiceStore())?.clear();
}

function keyOf(device: Device, allowApproximate: boolean): ChoiceKey | undefined {
  const identity = device.tuning?.identity;
  return identity && { identity, version: VERSION, isApproximate: allowApproximate };
}

/** Makes the device follow what is kept for it, and gives that back. On a device that does not tune nothing is kept. */
export async function recallKernelChoices(
  device: Device,
  options: Pick<TuneKernelsOptions, "allowApproximate"> = {},
  opened?: ChoiceStore,
): Promise<readonly KernelChoice[]> {
  checkOptions<object>("recallKernelChoices", options, TUNE_KERNELS_OPTIONS);
  const { allowApproximate = false } = options;
  const key = keyOf(device, allowApproximate);
  const store = key && (opened ?? (await openChoiceStore()));
  if (!store) return [];
  const choices = choicesFor(await readDocument(store), key);
  device.tuning!.adopt(choices);
  return choices;
}

/** Times a model's kernels; the device follows what was chosen in all that is prepared from now on, and it is kept. */
export async function tuneModel(
  model: TunedModel,
  options: TuneKernelsOptions = {},
  opened?: ChoiceStore,
): Promise<KernelTuning> {
  const key = keyOf(model.device, options.allowApproximate ?? false);
  const result = await tuneKernels(model, options);
  if (!key || result.choices.length === 0) return result;
  model.device.tuning!.adopt(result.choices);
  const store = opened ?? (await openChoiceStore());
  await store?.write(withChoices(await readDocument(store), key, result.choices));
  return result;
}

/**
 * What loading does: recalls what is kept, and in the quick form times what is not. Without a mode that is done where a GPU has
 * nothing kept. Nothing that goes wrong, but an abort, fails the load.
 */
export async function tuneAtLoad(
  model: TunedModel,
  mode: TuneMode | undefined,
  options: Omit<TuneKernelsOptions, "isQuick" | "known">,
  opened?: ChoiceStore,
): Promise<void> {
  const { tuning } = model.device;
  if (!tuning || mode === "never") return;
  try {
    const known = await recallKernelChoices(model.device, options, opened);
    const isQuick = mode === "quick" || (mode === undefined && tuning.isGpu && known.length === 0);
    if (isQuick) await tuneModel(model, { ...options, isQuick, known }, opened);
  } catch (error) {
    options.signal?.throwIfAborted();
    console.warn(`kedge: kernels keep their order, for they could not be timed: ${String(error)}`);
  }
}
