// Checks of what callers give: names that no option has, numbers out of range. Everything public that takes an options object
// begins with `checkOptions`, so that a typing mistake is an error and not a default.

/** The names of the options of a type: one key for each member, so that the compiler sees a name that is missing or too many. */
export type OptionNames<T> = Readonly<Record<T extends unknown ? keyof T : never, true>>;

/** Most letters by which a name may differ from an option to be taken for a typing mistake. */
const NEAR = 2;

/**
 * Throws a RangeError for an option that does not exist, with the nearest name that does, and for options that are no object.
 *
 * @param where what the message begins with: `generate`
 */
export function checkOptions<T extends object>(where: string, options: T, names: OptionNames<T>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const given = typeof options === "object" ? "a list or null" : JSON.stringify(options);
    throw new RangeError(`${where}: its options are ${given}; give an object of ${Object.keys(names).join(", ")}`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    const known = Object.keys(names);
    const nearest = nearestName(name, known);
    const hint = nearest === undefined ? `it takes ${known.join(", ")}` : `did you mean "${nearest}"?`;
    throw new RangeError(`${where}: there is no option "${name}": ${hint}`);
  }
}

const byDistance = (a: { readonly distance: number }, b: { readonly distance: number }): number =>
  a.distance - b.distance;

/** The known name that may have been meant, at most `most` letters away; undefined where none is so near. */
export function nearestName(name: string, known: readonly string[], most = NEAR): string | undefined {
  const [nearest] = known.map((one) => ({ one, distance: distanceOf(name, one) })).sort(byDistance);
  return nearest && nearest.distance <= most ? nearest.one : undefined;
}

/** Throws a RangeError unless a value is a whole number of at least `least`; returns it. */
export function wholeNumber(where: string, name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${where}: ${name} must be a whole number of at least ${least}; it is ${String(value)}`);
}

/** {@link wholeNumber} of those options that are there. */
export function wholeNumbers(where: string, values: Readonly<Record<string, number | undefined>>, least: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) wholeNumber(where, name, value, least);
  }
}

/** Throws a RangeError unless a number is absent, or finite and such that `holds` is true; `wanted` says which those are. */
export function numberInRange(
  where: string,
  name: string,
  value: number | undefined,
  wanted: string,
  holds: (value: number) => boolean,
): void {
  if (value === undefined || (Number.isFinite(value) && holds(value))) return;
  throw new RangeError(`${where}: ${name} must be ${wanted}; it is ${String(value)}`);
}

/** Letters to insert, remove, replace or swap with their neighbor to get from one word to another, whatever their case. */
function distanceOf(from: string, to: string): number {
  const [a, b] = [from.toLowerCase(), to.toLowerCase()];
  const rows = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (__, j) => (i === 0 ? j : i)),
  );
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + Number(a[i - 1] !== b[j - 1]);
      let best = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, replaced);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = best;
    }
  }
  return rows[a.length]![b.length]!;
}
