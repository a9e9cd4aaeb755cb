// Which implementations a call may use on this device, best first as their kernel lists them, those that do not suit the
// kind of adapter behind the others. How many rows a step has is
// known only when it runs, so a call may keep several, which together are meant for every count of rows.

import {
  makeTrial,
  seededRandom,
  type Implementation,
  type Kernel,
  type MatrixFormat,
  type Sample,
  type Setting,
  type Trial,
  type WgslImplementation,
} from "../../../kernels/index.ts";
import type { Call } from "../program.ts";
import { bufferFormat } from "../tensor.ts";

/** What the device is like, as implementations ask. */
export type Traits = Pick<Setting, "features" | "subgroupSize" | "maxWorkgroupSize" | "maxWorkgroupBytes">;

/** What decides which implementations are considered. */
export interface Policy {
  readonly traits: Traits;
  /** the adapter computes on the CPU */
  readonly isSoftware: boolean;
  readonly isDeterministic: boolean;
  readonly implementations: (kernel: Kernel) => readonly Implementation[];
  readonly isDemoted: (implementation: WgslImplementation) => boolean;
  readonly only: ((call: Call, implementation: Implementation) => boolean) | undefined;
}

/** True if the implementation is meant for so many rows. */
export function isForRows({ rows }: Implementation, count: number): boolean {
  return count >= (rows?.min ?? 1) && count <= (rows?.max ?? Number.POSITIVE_INFINITY);
}

/** The setting of a call; parameters that steps supply are NaN until one does. */
export function settingOf(
  { kernel, buffers, params }: Call,
  traits: Traits,
): Setting & { params: Record<string, number> } {
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
    if (value === undefined) throw new RangeError(`${kernel.name} needs a value for ${name}`);
    return [name, typeof value === "number" ? value : Number.NaN] as const;
  });
  return { params: Object.fromEntries(known), present, formats, ...traits };
}

/** The implementations that a call will use: for any count of rows the first one meant for it. Empty when none is left. */
export function chooseFor(call: Call, policy: Policy): readonly WgslImplementation[] {
  const setting = settingOf(call, policy.traits);
  const misfit = policy.isSoftware ? "hardware" : "software";
  const kept = Object.keys(call.kernel.buffers).find((name) => setting.formats[name] !== undefined);
  const format = kept === undefined ? undefined : setting.formats[kept];
  const fitting = policy
    .implementations(call.kernel)
    .toSorted((a, b) => Number(a.suits === misfit) - Number(b.suits === misfit))
    .filter(
      (one): one is WgslImplementation =>
        "wgsl" in one &&
        !policy.isDemoted(one) &&
        !(policy.isDeterministic && one.isNondeterministic === true) &&
        one.requires.every((feature) => policy.traits.features.has(feature)) &&
        (one.formats === undefined || (format !== undefined && one.formats.includes(format))) &&
        (one.fits?.(setting) ?? true) &&
        (policy.only?.(call, one) ?? true),
    );
  const { rows } = call.params;
  if (typeof rows === "number") return fitting.filter((one) => isForRows(one, rows)).slice(0, 1);
  const borders = [1, ...fitting.flatMap((one) => [one.rows?.min ?? 1, (one.rows?.max ?? 0) + 1])];
  const used = new Set(borders.map((count) => fitting.find((one) => isForRows(one, count))));
  return fitting.filter((one) => used.has(one));
}

/** Trials for an implementation: those of its kernel's samples that it fits, with as many rows as it is meant for. */
export function trialsFor(kernel: Kernel, implementation: WgslImplementation, traits: Traits): Trial[] {
  const { min = 1, max = Number.POSITIVE_INFINITY } = implementation.rows ?? {};
  const format = implementation.formats?.[0] ?? "f32";
  return kernel.samples.flatMap((sample: Sample, index) => {
    const { rows } = sample.params;
    const params = rows === undefined ? sample.params : { ...sample.params, rows: Math.min(max, Math.max(min, rows)) };
    const present = new Set(Object.keys(kernel.buffers).filter((name) => !sample.absent?.includes(name)));
    const kept = Object.entries(kernel.buffers).filter(([, use]) => /^(matrix|cache)/.test(use));
    const formats = Object.fromEntries(kept.map(([name]) => [name, format]));
    if (implementation.fits?.({ params, present, formats, ...traits }) === false) return [];
    return [makeTrial(kernel, { ...sample, params }, seededRandom(index + 1), { format })];
  });
}
