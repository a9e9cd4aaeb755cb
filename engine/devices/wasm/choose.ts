// Which implementations a call may use on this device: as their kernel lists them, those that load ahead first or last; and how
// the answer of a known-answer test is judged.

import {
  boundOf,
  compare,
  type Implementation,
  type Kernel,
  type MatrixFormat,
  type Trial,
  type WasmImplementation,
} from "../../../kernels/index.ts";
import * as shared from "../choose.ts";
import type { Call } from "../program.ts";
import type { Choice } from "./wasm-program.ts";

/** What decides which implementations are considered. */
export interface Policy extends Omit<shared.Policy<WasmImplementation>, "isOfDevice" | "traits"> {
  readonly features: ReadonlySet<string>;
  /** whether implementations that load ahead come before those that do not */
  readonly isAhead: boolean;
}

/** True for implementations that are functions of a WebAssembly module. */
export const isOfDevice = (one: Implementation): one is WasmImplementation => "wasm" in one;
const limits = { subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 } as const;
/** What a parameter counts as in `fits` until a step supplies it. */
const UNKNOWN = 1;

/** The implementations that a call will use. Empty when none is left. */
export function chooseFor(call: Call, policy: Policy): Choice {
  const traits = { features: policy.features, ...limits };
  const setting = shared.settingOf(call, traits, UNKNOWN);
  const fitting = shared
    .fittingFor(call, setting, { ...policy, isOfDevice, traits })
    .sort((a, b) => (Number(b.isAhead ?? false) - Number(a.isAhead ?? false)) * (policy.isAhead ? 1 : -1));
  const choices = shared.chooseByRows(call, fitting, policy);
  // a count of rows that nothing is meant for: no choice at all, rather than one that fails later
  return shared.hasAllRows(call, choices) ? choices : [];
}

/** Trials for one implementation: its kernel's samples, with as many rows as it is meant for. */
export function trialsFor(kernel: Kernel, one: WasmImplementation, format: MatrixFormat | undefined): Trial[] {
  return shared.trialsFor(kernel, one, { features: new Set(), ...limits }, format ?? "f32");
}

/** Why an implementation's answer is wrong, in words; null when it is right. */
export function judge(
  trial: Trial,
  one: WasmImplementation,
  got: Readonly<Record<string, Float32Array | Uint32Array>>,
): string | null {
  const wrong = compare(trial, got, boundOf(trial.kernel, one, trial.params));
  if (wrong === null) return null;
  return `${wrong.buffer}[${wrong.index}] of its known-answer test is ${wrong.got}, not ${wrong.want}`;
}
