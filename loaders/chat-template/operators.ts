// Python's operators on values.

import { spendItems, spendSearch, spendText } from "./limits.ts";
import { calculate } from "./numbers.ts";
import { formatPercent } from "./percent-format.ts";
import { print } from "./printing.ts";
import type { Binary, Comparison } from "./syntax.ts";
import { fail, refuse } from "./template-error.ts";
import {
  characters,
  compareValues,
  Dict,
  DictView,
  failUndefined,
  isEqual,
  iterate,
  Markup,
  numberOf,
  OneTimeIterator,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** `<`, `>`, `&`, `"` and `'` as HTML writes them. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll(">", "&gt;")
    .replaceAll("<", "&lt;")
    .replaceAll("'", "&#39;")
    .replaceAll('"', "&#34;");
}

/** A value as escaped HTML; what is escaped already stays as it is. */
export function escaped(value: Value): string {
  return value instanceof Markup ? value.text : escapeHtml(print(value));
}

export function binary(operator: Binary, a: Value, b: Value): Value {
  const x = numberOf(a);
  const y = numberOf(b);
  if (x !== undefined && y !== undefined) return calculate(operator, x, y);
  const s = textOf(a);
  if (operator === "%" && s !== undefined) {
    if (a instanceof Markup) refuse("the operator % on escaped text");
    return formatPercent(s, b);
  }
  if (a instanceof Undefined) failUndefined(a);
  if (b instanceof Undefined) failUndefined(b);
  if (operator === "+") {
    const t = textOf(b);
    if (s !== undefined && t !== undefined) {
      if (a instanceof Markup || b instanceof Markup) return new Markup(checked(escaped(a) + escaped(b)));
      return checked(s + t);
    }
    if (Array.isArray(a) && Array.isArray(b)) {
      spendItems(a.length + b.length);
      return [...a, ...b];
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      spendItems(a.items.length + b.items.length);
      return new Tuple([...a.items, ...b.items]);
    }
  }
  if (operator === "*") {
    if (typeof y === "bigint") return repeated(a, y) ?? failOperands(operator, a, b);
    if (typeof x === "bigint") return repeated(b, x) ?? failOperands(operator, a, b);
  }
  if (operator === "-" && a instanceof DictView && a.kind !== "values") refuse("a set");
  return failOperands(operator, a, b);
}

function failOperands(operator: string, a: Value, b: Value): never {
  fail(`"${operator}" does not work on a ${typeName(a)} and a ${typeName(b)}`);
}

function checked(text: string): string {
  spendText(text.length);
  return text;
}

/** A sequence several times over; undefined for other values. */
function repeated(value: Value, times: bigint): Value | undefined {
  const count = times < 0n ? 0 : Number(times);
  const text = textOf(value);
  if (text !== undefined) {
    spendText(text.length * count);
    const result = text === "" ? "" : text.repeat(count);
    return value instanceof Markup ? new Markup(result) : result;
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items === undefined) return undefined;
  spendItems(items.length * count);
  const result = items.length === 0 ? [] : Array.from({ length: count }, () => items).flat();
  return Array.isArray(value) ? result : new Tuple(result);
}

export function negative(value: Value): Value {
  const number = numberOf(value);
  if (number === undefined) return failOperand("-", value);
  return -number;
}

export function positive(value: Value): Value {
  return numberOf(value) ?? failOperand("+", value);
}

function failOperand(operator: string, value: Value): never {
  if (value instanceof Undefined) failUndefined(value);
  fail(`"${operator}" does not work on a ${typeName(value)}`);
}

export function compare(operator: Comparison, a: Value, b: Value): boolean {
  switch (operator) {
    case "==":
      return isEqual(a, b);
    case "!=":
      return !isEqual(a, b);
    case "<":
      return compareValues(a, b, operator) < 0;
    case "<=":
      return compareValues(a, b, operator) <= 0;
    case ">":
      return compareValues(a, b, operator) > 0;
    case ">=":
      return compareValues(a, b, operator) >= 0;
    case "in":
      return contains(b, a);
    case "not in":
      return !contains(b, a);
    default:
      return operator satisfies never;
  }
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const needle = textOf(item);
    if (needle === undefined) fail(`"in" a text needs a text, not a ${typeName(item)}`);
    spendSearch(text.length, needle.length);
    return text.includes(needle);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === "keys") return container.dict.has(item);
  if (container instanceof Range) {
    const number = numberOf(item);
    if (number === undefined || !Number.isInteger(Number(number))) return false;
    const offset = BigInt(number) - container.start;
    const index = offset / container.step;
    return offset % container.step === 0n && index >= 0n && index < BigInt(container.length);
  }
  for (const one of iterate(container)) if (one === item || isEqual(one, item)) return true;
  return false;
}

/** An int that counts from the end if it is negative; undefined outside of 0..length-1. */
function place(index: bigint, length: number): number | undefined {
  const at = index < 0n ? index + BigInt(length) : index;
  return at >= 0n && at < BigInt(length) ? Number(at) : undefined;
}

/** `object[index]` without its attributes; undefined if there is none. */
export function itemOf(object: Value, index: Value): Value | undefined {
  if (object instanceof Undefined) failUndefined(object);
  if (object instanceof Dict) {
    // A list as a key is an error in Python that Jinja takes for "not there".
    return isKey(index) ? object.get(index) : undefined;
  }
  const at = typeof index === "boolean" ? (index ? 1n : 0n) : index;
  if (typeof at !== "bigint") return undefined;
  const text = textOf(object);
  if (text !== undefined) {
    const all = characters(text);
    const found = all[place(at, all.length) ?? -1];
    return found !== undefined && object instanceof Markup ? new Markup(found) : found;
  }
  if (Array.isArray(object)) return object[place(at, object.length) ?? -1];
  if (object instanceof Tuple) return object.items[place(at, object.items.length) ?? -1];
  if (object instanceof Range) {
    const i = place(at, object.length);
    return i === undefined ? undefined : object.at(i);
  }
  return undefined;
}

function isKey(value: Value): boolean {
  if (value instanceof Tuple) return value.items.every(isKey);
  return !Array.isArray(value) && !(value instanceof Dict);
}

/** Which items a slice has: from `start` on `count` of them. */
function sliceOf(
  parts: readonly (Value | undefined)[],
  length: number,
): { readonly start: number; readonly stop: number; readonly step: number; readonly count: number } {
  const [start, stop, step = 1n] = parts.map((part) => {
    if (part === undefined || part === null) return undefined;
    const number = numberOf(part);
    if (typeof number !== "bigint") fail(`the parts of a slice are whole numbers, not a ${typeName(part)}`);
    return number;
  });
  if (step === 0n) fail("the step of a slice is 0");
  const size = BigInt(length);
  const [low, high] = step > 0n ? [0n, size] : [-1n, size - 1n];
  const clamp = (value: bigint | undefined, otherwise: bigint): bigint => {
    if (value === undefined) return otherwise;
    const at = value < 0n ? value + size : value;
    return at < low ? low : at > high ? high : at;
  };
  const from = clamp(start, step > 0n ? low : high);
  const to = clamp(stop, step > 0n ? high : low);
  const range = new Range(from, to, step);
  return { start: Number(from), stop: Number(to), step: Number(step), count: range.length };
}

/** `object[start:stop:step]` */
export function slice(object: Value, parts: readonly (Value | undefined)[]): Value {
  if (object instanceof Undefined) failUndefined(object);
  const pick = <Item>(items: readonly Item[]): Item[] => {
    const { start, step, count } = sliceOf(parts, items.length);
    return Array.from({ length: count }, (_, i) => items[start + i * step]!);
  };
  const text = textOf(object);
  if (text !== undefined) {
    spendText(text.length);
    const picked = pick(characters(text)).join("");
    return object instanceof Markup ? new Markup(picked) : picked;
  }
  if (Array.isArray(object)) {
    spendItems(object.length);
    return pick(object);
  }
  if (object instanceof Tuple) return new Tuple(pick(object.items));
  if (object instanceof Range) {
    const { start, stop, step } = sliceOf(parts, object.length);
    const at = (index: number): bigint => object.start + BigInt(index) * object.step;
    return new Range(at(start), at(stop), BigInt(step) * object.step);
  }
  return fail(`a ${typeName(object)} cannot be sliced`);
}

/** Python's `reversed(value)`; undefined for what has no order. */
export function reversed(value: Value): OneTimeIterator | undefined {
  const text = textOf(value);
  const items =
    text !== undefined
      ? characters(text)
      : Array.isArray(value)
        ? value
        : value instanceof Tuple
          ? value.items
          : value instanceof Dict
            ? [...value.keys()]
            : value instanceof Range || value instanceof DictView
              ? [...value.items()]
              : value instanceof Undefined
                ? []
                : undefined;
  return items && new OneTimeIterator([...items].toReversed(), "list_reverseiterator");
}
