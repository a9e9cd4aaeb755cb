// `--set NAME=a,b,c`: values to try, of a size of the shapes, of an override of the WGSL implementations, or of a parameter of a rival.

import type { Implementation, WgslImplementation } from "kedge/kernels";

/** A name and the values to try for it. */
export interface Sweep {
  readonly name: string;
  readonly values: readonly number[];
}

/** One value for each of some names. */
export type Values = Readonly<Record<string, number>>;

/** Reads `NAME=a,b,c`. Throws an Error that says what is wrong with it. */
export function readSweep(text: string): Sweep {
  const [, name, list] = /^([A-Za-z][A-Za-z0-9_]*)=(.+)$/.exec(text) ?? [];
  const values = list?.split(",").map((value) => (value.trim() === "" ? Number.NaN : Number(value)));
  if (name === undefined || !values || values.some((value) => !Number.isFinite(value))) {
    throw new Error(`--set is "${text}": it must be a name and numbers, such as WORKGROUP=32,64,128`);
  }
  return { name, values: [...new Set(values)] };
}

/** Every combination of the values; a single empty one of no sweeps. */
export function combinationsOf(sweeps: readonly Sweep[]): Values[] {
  return sweeps.reduce<Values[]>(
    (all, { name, values }) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

/** Names and values behind the name of an implementation: `WORKGROUP=64 STEP=4`. */
export function valuesText(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

const isWgsl = (one: Implementation): one is WgslImplementation => "wgsl" in one;

/** Names of the numeric overrides of a shader. */
export async function overrideNames({ wgsl }: WgslImplementation): Promise<string[]> {
  const text = typeof wgsl === "string" ? wgsl : await wgsl();
  return [...text.matchAll(/\boverride\s+(\w+)\s*:\s*(?:u32|i32|f32)/g)].map(([, name]) => name!);
}

/**
 * An implementation with each combination of the values of its overrides, in place of those that it sets itself; none where it has
 * no override of these names. How many workgroups are dispatched does not change: where it depends on an override, other values
 * give wrong results, which the bench finds.
 */
export async function sweptBy(implementation: Implementation, sweeps: readonly Sweep[]): Promise<WgslImplementation[]> {
  if (sweeps.length === 0 || !isWgsl(implementation)) return [];
  const names = await overrideNames(implementation);
  const own = sweeps.filter(({ name }) => names.includes(name));
  if (own.length === 0) return [];
  return combinationsOf(own).map((values) => ({
    ...implementation,
    name: `${implementation.name} ${valuesText(values)}`,
    constants: (setting) => ({ ...implementation.constants?.(setting), ...values }),
  }));
}
