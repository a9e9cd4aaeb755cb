// Which implementations a call may use on this device, best first as their kernel lists them, and the known-answer test
// that each passes before its first use.

import {
  boundOf,
  compare,
  type Implementation,
  type Kernel,
  makeTrial,
  type MatrixFormat,
  type Sample,
  seededRandom,
  type Setting,
  type Trial,
  type WasmImplementation,
} from "../../../kernels/index.ts";
import type { Call } from "../program.ts";
import { bufferFormat } from "../tensor.ts";
import type { Choice } from "./wasm-program.ts";

/** What decides which implementations are considered. */
export interface Policy {
  readonly features: ReadonlySet<string>;
  readonly isDeterministic: boolean;
  readonly implementations: (kernel: Kernel) => readonly Implementation[];
  readonly isDemoted: (implementation: WasmImplementation) => boolean;
  /** whether implementations that load ahead come before those that do not */
  readonly isAhead: boolean;
  readonly only: ((call: Call, implementation: Implementation) => boolean) | undefined;
}

/** The setting in which `fits` is asked; variables are not known yet, and count as 1. */
function settingOf({ kernel, buffers, params }: Call, features: ReadonlySet<string>): Setting {
  const formats: Record<string, MatrixFormat> = {};
  const present = new Set<string>();
  for (const [name, buffer] of Object.entries(buffers)) {
    if (buffer === undefined) continue;
    present.add(name);
    const format = bufferFormat(buffer);
    if (format !== undefined) formats[name] = format;
  }
  const known = Object.keys(kernel.params).map((name) => {
    const value = params[name];
    return [name, typeof value === "number" ? value : 1] as const;
  });
  const limits = { subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 };
  return { params: Object.fromEntries(known), present, formats, features, ...limits };
}

/** The format of a call's matrices or caches, by which implementations are told apart; the first one's, undefined without any. */
export function formatOf({ kernel, buffers }: Call): MatrixFormat | undefined {
  for (const name of Object.keys(kernel.buffers)) {
    const buffer = buffers[name];
    const format = buffer && bufferFormat(buffer);
    if (format !== undefined) return format;
  }
  return undefined;
}

/** The implementations that a call will use: one, or one per range of rows. Empty when none is left. */
export function chooseFor(call: Call, policy: Policy): Choice {
  const setting = settingOf(call, policy.features);
  const format = formatOf(call);
  const fitting = policy
    .implementations(call.kernel)
    .filter(
      (one): one is WasmImplementation =>
        "wasm" in one &&
        !policy.isDemoted(one) &&
        !(policy.isDeterministic && one.isNondeterministic === true) &&
        one.requires.every((feature) => policy.features.has(feature)) &&
        (one.formats === undefined || (format !== undefined && one.formats.includes(format))) &&
        (one.fits?.(setting) ?? true) &&
        (policy.only?.(call, one) ?? true),
    )
    .toSorted((a, b) => (Number(b.isAhead ?? false) - Number(a.isAhead ?? false)) * (policy.isAhead ? 1 : -1));
  const meantFor = (rows: number) =>
    fitting.find((one) => rows >= (one.rows?.min ?? 1) && rows <= (one.rows?.max ?? Number.POSITIVE_INFINITY));
  const { rows } = call.params;
  const borders =
    typeof rows === "number"
      ? [rows]
      : [1, ...fitting.flatMap((one) => [one.rows?.min ?? 1, (one.rows?.max ?? 0) + 1])];
  const used = borders.map(meantFor);
  // a count of rows that nothing is meant for: no choice at all, rather than one that fails later
  return used.includes(undefined) ? [] : fitting.filter((one) => used.includes(one));
}

/** Trials for one implementation: its kernel's samples, with as many rows as it is meant for. */
export function trialsFor(
  kernel: Kernel,
  implementation: WasmImplementation,
  format: MatrixFormat | undefined,
): Trial[] {
  const { min = 1, max = Number.POSITIVE_INFINITY } = implementation.rows ?? {};
  return kernel.samples.flatMap((sample: Sample, i) => {
    const rows = sample.params["rows"];
    const params = rows === undefined ? sample.params : { ...sample.params, rows: Math.min(max, Math.max(min, rows)) };
    const present = new Set(Object.keys(kernel.buffers).filter((name) => !sample.absent?.includes(name)));
    const limits = { subgroupSize: 0, maxWorkgroupSize: 0, maxWorkgroupBytes: 0 };
    const setting = { params, present, formats: {}, features: new Set<string>(), ...limits };
    if (implementation.fits?.(setting) === false) return [];
    return [makeTrial(kernel, { ...sample, params }, seededRandom(i + 1), { format: format ?? "f32" })];
  });
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
