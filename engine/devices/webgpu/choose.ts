// Which implementations a call may use on this device: best first as their kernel lists them, those that do not suit the kind
// of adapter behind the others.

import type { Implementation, Kernel, Setting, Trial, WgslImplementation } from "../../../kernels/index.ts";
import * as shared from "../choose.ts";
import type { Call } from "../program.ts";

export type { Traits } from "../choose.ts";

/** What decides which implementations are considered. */
export interface Policy extends Omit<shared.Policy<WgslImplementation>, "isOfDevice"> {
  /** the adapter computes on the CPU */
  readonly isSoftware: boolean;
}

/** True for implementations that are WebGPU shaders. */
export const isOfDevice = (one: Implementation): one is WgslImplementation => "wgsl" in one;

/** The setting of a call; parameters that steps supply are NaN until one does. */
export function settingOf(call: Call, traits: shared.Traits): Setting & { params: Record<string, number> } {
  return shared.settingOf(call, traits, Number.NaN);
}

/** The implementations that a call will use. Empty when none is left. */
export function chooseFor(call: Call, policy: Policy): shared.RowChoices<WgslImplementation> {
  const misfit = policy.isSoftware ? "hardware" : "software";
  const fitting = shared
    .fittingFor(call, settingOf(call, policy.traits), { ...policy, isOfDevice })
    .sort((a, b) => Number(a.suits === misfit) - Number(b.suits === misfit));
  return shared.chooseByRows(call, fitting, policy);
}

/** Trials for an implementation: those of its kernel's samples that it fits, with as many rows as it is meant for. */
export function trialsFor(kernel: Kernel, implementation: WgslImplementation, traits: shared.Traits): Trial[] {
  return shared.trialsFor(kernel, implementation, traits, implementation.formats?.[0] ?? "f32");
}
