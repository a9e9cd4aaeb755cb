// JavaScript values -> values of templates.

import { MAX_NESTING } from "./limits.ts";
import { fail } from "./template-error.ts";
import { Dict, type Value } from "./values.ts";

/**
 * The value of a template for a JavaScript one: arrays are lists, Maps and objects dicts (members that are undefined are not
 * there), a bigint and a number that is whole an int, other numbers and `Object(1)`, a number as an object, floats.
 * JavaScript does not tell 1.0 from 1; numbers beyond the safe integers count as floats.
 *
 * @param where what messages call it
 *
 * Throws TemplateError for functions, dates, binary data and whatever else JSON does not have, and for values without end.
 */
export function fromHost(value: unknown, where: string, depth = 0): Value {
  if (depth > MAX_NESTING) fail(`the variable "${where}" is nested more than ${MAX_NESTING} levels deep`);
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return value;
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
    case "undefined":
      return null;
    case "object":
      break;
    default:
      return fail(`the variable "${where}" has a ${typeof value}, which templates do not take`);
  }
  if (value === null) return null;
  if (Object.prototype.toString.call(value) === "[object Number]") return Number(value);
  if (Array.isArray(value)) return (value as unknown[]).map((item) => fromHost(item, where, depth + 1));
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)];
    return new Dict(entries.map(([key, item]) => [fromHost(key, where, depth + 1), fromHost(item, where, depth + 1)]));
  }
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (kind !== "Object") fail(`the variable "${where}" has a ${kind}, which templates do not take`);
  const dict = new Dict();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) dict.set(key, fromHost(item, where, depth + 1));
  }
  return dict;
}
