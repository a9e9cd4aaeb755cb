// The choice among implementations, for all devices: which of them fit a call, and which is used for how many rows. The rows of a
// step are known only when it runs, so a call may keep several implementations, each for a range of rows. A measured choice goes
// before the order of the kernel, for the rows that it was measured for.

import {
  makeTrial,
  seededRandom,
  type Implementation,
  type Kernel,
  type MatrixFormat,
  type Sample,
  type Setting,
  type Trial,
} from "../../kernels/index.ts";
import type { MeasuredChoices } from "./measured-choices.ts";
import type { Call } from "./program.ts";
import { bufferFormat } from "./tensor.ts";

/** The properties of a device that implementations may ask for. */
export type Traits = Omit<Setting, "params" | "present" | "formats">;

/** The traits of a device without features, subgroups and workgroups. */
export const PLAIN_TRAITS: Traits = {
  features: new Set<string>(),
  subgroupSize: 0,
  maxWorkgroupSize: 0,
  maxWorkgroupBytes: 0,
};

/** An implementation, and the counts of rows begin..end for which it is used. */
export interface ForRows<I extends Implementation> {
  readonly implementation: I;
  readonly begin: number;
  readonly end: number;
}

/** The implementations of a call: disjoint ranges of rows, fewest first. */
export type RowChoices<I extends Implementation> = readonly ForRows<I>[];

/** Whether an implementation is meant for this many rows. */
export function isForRows({ rows }: Pick<Implementation, "rows">, count: number): boolean {
  return count >= (rows?.min ?? 1) && count <= (rows?.max ?? Number.POSITIVE_INFINITY);
}

/** The choice for this many rows. */
export function chosenFor<T extends { readonly begin: number; readonly end: number }>(
  choices: readonly T[],
  rows: number,
): T | undefined {
  return choices.find(({ begin, end }) => rows >= begin && rows < end);
}

/** The distinct implementations of a call. */
export function implementationsIn<I extends Implementation>(choices: RowChoices<I>): readonly I[] {
  return [...new Set(choices.map(({ implementation }) => implementation))];
}

/** The setting of a call; parameters that steps supply are NaN. Throws a RangeError where one is missing. */
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

/** The format of the first matrix or cache of a call, by which implementations are chosen; undefined without any. */
export function formatOf({ kernel, buffers }: Call): MatrixFormat | undefined {
  for (const name of Object.keys(kernel.buffers)) {
    const buffer = buffers[name];
    const format = buffer && bufferFormat(buffer);
    if (format !== undefined) return format;
  }
  return undefined;
}

/** Filters `ones` by what the device has and what the call needs; keeps their order. */
export function fittingFor<I extends Implementation>(
  call: Call,
  ones: readonly I[],
  { traits, isDeterministic }: { readonly traits: Traits; readonly isDeterministic: boolean },
): readonly I[] {
  const format = formatOf(call);
  const setting = settingOf(call, traits);
  return ones.filter(
    (one) =>
      !(isDeterministic && one.isApproximate === true) &&
      one.requires.every((feature) => traits.features.has(feature)) &&
      (one.formats === undefined || (format !== undefined && one.formats.includes(format))) &&
      (one.fits?.(setting) ?? true),
  );
}

/**
 * Chooses an implementation for every count of rows, or for the one count of a call whose rows are fixed: the measured choice if it
 * is among `fitting` and meant for that count, else the first of `fitting` that is. Counts without any are left out.
 */
export function chooseByRows<I extends Implementation>(
  call: Call,
  fitting: readonly I[],
  { isDeterministic, measured }: { readonly isDeterministic: boolean; readonly measured: MeasuredChoices | undefined },
): RowChoices<I> {
  const kept = isDeterministic ? [] : (measured?.of(call) ?? []);
  const bestFor = (count: number): I | undefined => {
    const name = chosenFor(kept, count)?.implementation;
    const isUsable = (one: I) => isForRows(one, count);
    return fitting.find((one) => one.name === name && isUsable(one)) ?? fitting.find(isUsable);
  };
  const { rows } = call.params;
  if (typeof rows === "number") {
    const implementation = bestFor(rows);
    return implementation ? [{ implementation, begin: 0, end: Number.POSITIVE_INFINITY }] : [];
  }
  const own = fitting.flatMap((one) => [one.rows?.min ?? 1, (one.rows?.max ?? 0) + 1]);
  const borders = [...new Set([1, ...own, ...kept.flatMap(({ begin, end }) => [begin, end])])]
    .filter((border) => Number.isFinite(border) && border >= 1)
    .sort((a, b) => a - b);
  const choices: ForRows<I>[] = [];
  for (const [i, begin] of borders.entries()) {
    const implementation = bestFor(begin);
    const end = borders[i + 1] ?? Number.POSITIVE_INFINITY;
    if (!implementation) continue;
    const last = choices.at(-1);
    const isMore = last?.implementation === implementation && last.end === begin;
    if (isMore) choices[choices.length - 1] = { implementation, begin: last.begin, end };
    else choices.push({ implementation, begin, end });
  }
  return choices;
}

/** Whether there is an implementation for every count of rows from 1 on, or for the fixed count. */
export function hasAllRows<I extends Implementation>({ params }: Call, choices: RowChoices<I>): boolean {
  if (typeof params["rows"] === "number") return choices.length > 0;
  let next = 1;
  for (const { begin, end } of choices) if (begin <= next) next = end;
  return next === Number.POSITIVE_INFINITY;
}

/** The trials of an implementation: the samples of its kernel that it fits, with rows clamped to the range it is meant for. */
export function trialsFor(
  kernel: Kernel,
  implementation: Implementation,
  traits: Traits,
  format: MatrixFormat,
): Trial[] {
  const { min = 1, max = Number.POSITIVE_INFINITY } = implementation.rows ?? {};
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
