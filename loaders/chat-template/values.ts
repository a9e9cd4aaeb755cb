// The values of templates, with Python's meaning:
//   None null, bool boolean, int bigint, float number, str string, list Value[]; all else are the classes below.
// An int and a float are told apart by their JavaScript type: 1n prints "1", 1 prints "1.0".

import { MAX_NESTING, spend } from "./limits.ts";
import { fail } from "./template-error.ts";

export type Value =
  null | boolean | bigint | number | string | Value[] | Tuple | Dict | Undefined | Markup | HostObject;

/** What Jinja gives for a name, attribute or item that is not there: prints as nothing, fails when used otherwise. */
export class Undefined {
  /** Why it is undefined, for the error when it is used. */
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A text that counts as escaped HTML; made by the filters `safe` and `escape` only. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  /** Names of the items, where they have any. */
  readonly fields: readonly string[];
  constructor(items: readonly Value[], fields: readonly string[] = []) {
    this.items = items;
    this.fields = fields;
  }
}

/** What stands for a key in a JavaScript Map: equal keys have the same. */
type KeyIdentity = unknown;
const NAN = Symbol("nan");
const UNDEFINED = Symbol("undefined");

/** A dict: insertion order, keys equal by value (1, 1.0 and True are one key). */
export class Dict {
  readonly #entries = new Map<KeyIdentity, readonly [Value, Value]>();
  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(identityOf(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(identityOf(key));
  }
  /** Sets a value; a key that is there keeps its place and its first writing. */
  set(key: Value, value: Value): void {
    const identity = identityOf(key);
    this.#entries.set(identity, [orElse(this.#entries.get(identity)?.[0], () => key), value]);
  }
  entries(): Iterable<readonly [Value, Value]> {
    return this.#entries.values();
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  *values(): Iterable<Value> {
    for (const [, value] of this.#entries.values()) yield value;
  }
}

/** What a call is given. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** Anything else that templates can hold: functions, macros, loops, namespaces, iterators. */
export abstract class HostObject {
  /** Its type as Python's messages name it. */
  abstract readonly typeName: string;
  /** An attribute; undefined if there is none of that name. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }
  /** How Python prints it; undefined where it prints an address in memory. */
  repr(): string | undefined {
    return undefined;
  }
  /** The items of what can be iterated. */
  items?(): Iterable<Value>;
  /** How many items there are, where Python can tell. */
  count?(): number;
  call?(args: Arguments): Value;
}

/** A function, or a method bound to its value. */
export class Callable extends HostObject {
  readonly typeName = "builtin_function_or_method";
  readonly name: string;
  readonly #run: (args: Arguments) => Value;
  constructor(name: string, run: (args: Arguments) => Value) {
    super();
    this.name = name;
    this.#run = run;
  }
  override call(args: Arguments): Value {
    return this.#run(args);
  }
}

/** A generator or iterator: its items come once. */
export class OneTimeIterator extends HostObject {
  readonly typeName: string;
  readonly #iterator: Iterator<Value>;
  constructor(items: Iterable<Value>, type = "generator") {
    super();
    this.#iterator = items[Symbol.iterator]();
    this.typeName = type;
  }
  override items(): Iterable<Value> {
    // Without `return`, so that leaving a loop early leaves the rest for the next one.
    return { [Symbol.iterator]: () => ({ next: () => this.#iterator.next() }) };
  }
}

export class Range extends HostObject {
  readonly typeName = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly length: number;
  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    [this.start, this.stop, this.step] = [start, stop, step];
    const span = step > 0n ? stop - start : start - stop;
    const size = step > 0n ? step : -step;
    this.length = span <= 0n ? 0 : Number((span + size - 1n) / size);
  }
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
  override count(): number {
    return this.length;
  }
  override *items(): Iterable<Value> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
  override repr(): string {
    return `range(${this.start}, ${this.stop}${this.step === 1n ? "" : `, ${this.step}`})`;
  }
}

/** `dict.keys()`, `dict.values()`, `dict.items()`. */
export class DictView extends HostObject {
  readonly typeName: string;
  readonly dict: Dict;
  readonly kind: "keys" | "values" | "items";
  constructor(dict: Dict, kind: "keys" | "values" | "items") {
    super();
    this.dict = dict;
    this.kind = kind;
    this.typeName = `dict_${kind}`;
  }
  override count(): number {
    return this.dict.size;
  }
  override *items(): Iterable<Value> {
    for (const [key, value] of this.dict.entries()) {
      yield this.kind === "keys" ? key : this.kind === "values" ? value : new Tuple([key, value]);
    }
  }
}

/** What templates may write to: `{% set ns.found = true %}`. */
export class Namespace extends HostObject {
  readonly typeName = "Namespace";
  readonly attributes = new Dict();
  set(name: Value, value: Value): void {
    const text = textOf(name);
    if (text?.startsWith("_")) fail(`namespaces do not take names that start with an underscore, such as "${text}"`);
    this.attributes.set(name, value);
  }
  override attribute(name: string): Value | undefined {
    return this.attributes.get(name);
  }
}

/** The text of a str, escaped or not; undefined for other values. */
export function textOf(value: Value): string | undefined {
  return typeof value === "string" ? value : value instanceof Markup ? value.text : undefined;
}

export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "str";
  if (Array.isArray(value)) return "list";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Dict) return "dict";
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Markup) return "Markup";
  return value.typeName;
}

/** Ends rendering because an undefined value is used. */
export function failUndefined(value: Undefined): never {
  fail(value.reason);
}

/** What stands for a key: equal keys have the same. */
function identityOf(key: Value): KeyIdentity {
  if (typeof key === "boolean") return key ? 1n : 0n;
  if (typeof key === "number") return Number.isInteger(key) ? BigInt(key) : Number.isNaN(key) ? NAN : key;
  if (key instanceof Undefined) return UNDEFINED;
  if (key instanceof Tuple) return `\0(${key.items.map(partOf).join("")})`;
  if (!isHashable(key)) {
    fail(`a ${typeName(key)} cannot be a key or an item of a set`);
  }
  const text = textOf(key);
  // Texts that start like a tuple's identity are moved out of its way.
  if (text !== undefined) return text.startsWith("\0") ? `\0s${text}` : text;
  return key;
}

/** Whether a value can be a key. */
export function isHashable(value: Value): boolean {
  if (value instanceof Tuple) return value.items.every(isHashable);
  if (value instanceof DictView) return value.kind === "values";
  return !(Array.isArray(value) || value instanceof Dict);
}

function partOf(item: Value): string {
  const identity = identityOf(item);
  if (typeof identity === "object" && identity !== null) fail(`a tuple with a ${typeName(item)} cannot be a key`);
  const text = `${typeof identity}:${String(identity)}`;
  return `${text.length}:${text}`;
}

/** A value that may not be there. None is a value, so that `??` does not do. */
export function orElse(value: Value | undefined, otherwise: () => Value): Value {
  return value === undefined ? otherwise() : value;
}

/** Python's truth of a value. */
export function isTrue(value: Value): boolean {
  if (value === null || value === false || value instanceof Undefined) return false;
  if (value === true) return true;
  if (typeof value === "bigint") return value !== 0n;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string" || Array.isArray(value)) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Markup) return value.text.length > 0;
  return value.count === undefined || value.count() > 0;
}

const HAS_SURROGATES = /[\ud800-\udfff]/;

/** The code points of a text, one string each. */
export function characters(text: string): readonly string[] {
  return HAS_SURROGATES.test(text) ? [...text] : text.split("");
}

/** Code points of a text. */
export function textLength(text: string): number {
  if (!HAS_SURROGATES.test(text)) return text.length;
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** Python's `len`; undefined for what has none. */
export function lengthOf(value: Value): number | undefined {
  if (typeof value === "string") return textLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Undefined) return 0;
  if (value instanceof Markup) return textLength(value.text);
  return value instanceof HostObject ? value.count?.() : undefined;
}

/** The items of a value; undefined for what cannot be iterated. */
export function iteratorOf(value: Value): Iterable<Value> | undefined {
  if (typeof value === "string") return characters(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Undefined) return [];
  if (value instanceof Markup) return characters(value.text);
  return value instanceof HostObject ? value.items?.() : undefined;
}

/** The items of a value, each of which costs a step. */
export function* iterate(value: Value): Iterable<Value> {
  const items = iteratorOf(value);
  if (items === undefined) fail(`a ${typeName(value)} cannot be iterated`);
  for (const item of items) {
    spend();
    yield item;
  }
}

/** Numbers as the two types that compare exactly in JavaScript; undefined for other values. */
export function numberOf(value: Value): bigint | number | undefined {
  if (typeof value === "boolean") return value ? 1n : 0n;
  return typeof value === "bigint" || typeof value === "number" ? value : undefined;
}

/** Python's `==`. */
export function isEqual(a: Value, b: Value, depth = 0): boolean {
  spend();
  if (depth > MAX_NESTING) fail(`it compares values that are nested more than ${MAX_NESTING} levels deep`);
  const x = numberOf(a);
  const y = numberOf(b);
  // Between bigint and number only == compares by value.
  if (x !== undefined || y !== undefined) return x !== undefined && y !== undefined && x == y;
  const text = textOf(a);
  if (text !== undefined) return text === textOf(b);
  const isSame = (s: readonly Value[], t: readonly Value[]): boolean =>
    s.length === t.length && s.every((item, i) => isEqual(item, t[i]!, depth + 1));
  if (Array.isArray(a)) return a === b || (Array.isArray(b) && isSame(a, b));
  if (a instanceof Tuple) return b instanceof Tuple && isSame(a.items, b.items);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  const dicts = a instanceof Dict && b instanceof Dict ? ([a, b] as const) : undefined;
  if (dicts) return isEqualDict(dicts[0], dicts[1], depth);
  if (a instanceof DictView && b instanceof DictView && a !== b && a.kind !== "values" && b.kind !== "values") {
    if (a.kind !== b.kind) return a.dict.size === 0 && b.dict.size === 0;
    if (a.kind === "items") return isEqualDict(a.dict, b.dict, depth);
    return a.dict.size === b.dict.size && [...a.dict.keys()].every((key) => b.dict.has(key));
  }
  return a === b;
}

function isEqualDict(a: Dict, b: Dict, depth: number): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !isEqual(value, other, depth + 1)) return false;
  }
  return true;
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** Order of two texts by code points; JavaScript's own is by UTF-16 units. */
export function compareText(a: string, b: string): number {
  if (!HAS_SURROGATES.test(a) && !HAS_SURROGATES.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  if (i > 0 && (isLowSurrogate(a.charCodeAt(i)) || isLowSurrogate(b.charCodeAt(i)))) i--;
  return (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0);
}

/** Python's order: negative, 0, positive, or NaN if a NaN is in it. Fails for values that have no order, naming `operator`. */
export function compareValues(a: Value, b: Value, operator: string): number {
  spend();
  const x = numberOf(a);
  const y = numberOf(b);
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : x == y ? 0 : NaN;
  const s = textOf(a);
  const t = textOf(b);
  if (s !== undefined && t !== undefined) return compareText(s, t);
  const lists =
    Array.isArray(a) && Array.isArray(b)
      ? ([a, b] as const)
      : a instanceof Tuple && b instanceof Tuple
        ? ([a.items, b.items] as const)
        : undefined;
  if (lists) {
    const [first, second] = lists;
    for (let i = 0; i < first.length && i < second.length; i++) {
      if (!isEqual(first[i]!, second[i]!)) return compareValues(first[i]!, second[i]!, operator);
    }
    return first.length - second.length;
  }
  if (a instanceof Undefined) failUndefined(a);
  if (b instanceof Undefined) failUndefined(b);
  fail(`"${operator}" does not compare a ${typeName(a)} with a ${typeName(b)}`);
}

/** Sorted as Python sorts: stable, by `<` of the keys. */
export function sorted(items: readonly Value[], key: (item: Value) => Value, isReversed = false): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  const compare = (a: Value, b: Value): number => compareValues(a, b, "<") || 0;
  // Reversed order keeps the order of equal items, too.
  keyed.sort((a, b) => (isReversed ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}
