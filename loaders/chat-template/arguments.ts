// Arguments of a call -> the parameters of a function.

import { fail } from "./template-error.ts";
import type { Arguments, Value } from "./values.ts";

const parsed = new Map<string, { names: readonly string[]; required: number; isPositional: boolean }>();

function parse(signature: string): { names: readonly string[]; required: number; isPositional: boolean } {
  let found = parsed.get(signature);
  if (found === undefined) {
    const words = signature.split(" ").filter((word) => word !== "");
    const params = words.filter((word) => word !== "/");
    const required = params.filter((word) => !word.endsWith("?")).length;
    found = { names: params.map((word) => word.replace("?", "")), required, isPositional: words.includes("/") };
    parsed.set(signature, found);
  }
  return found;
}

/**
 * The values of a function's parameters, in order; undefined for one that is not given.
 *
 * @param signature names with spaces between them, `?` after those that may be left out, and "/" at the end if none can be given by name
 */
export function takeArguments(
  name: string,
  { positional, named }: Arguments,
  signature: string,
): (Value | undefined)[] {
  const { names, required, isPositional } = parse(signature);
  if (positional.length > names.length) {
    fail(`"${name}" takes at most ${names.length} arguments, not ${positional.length}`);
  }
  const values: (Value | undefined)[] = names.map((_, i) => positional[i]);
  for (const [key, value] of named) {
    const place = isPositional ? -1 : names.indexOf(key);
    if (place < 0) fail(`"${name}" takes no argument named "${key}"`);
    if (values[place] !== undefined) fail(`"${name}" is given the argument "${key}" twice`);
    values[place] = value;
  }
  const missing = names.slice(0, required).find((_, i) => values[i] === undefined);
  if (missing !== undefined) fail(`"${name}" needs the argument "${missing}"`);
  return values;
}
