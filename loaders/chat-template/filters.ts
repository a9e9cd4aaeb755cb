// The filters and tests of Jinja by name, and the filters that work on lists and other sequences.

import { getAttribute, getItem, ownAttribute } from "./attributes.ts";
import { takeArguments } from "./arguments.ts";
import { HTML_FILTERS } from "./html-filters.ts";
import { toJson } from "./json.ts";
import { spendItems, spendText } from "./limits.ts";
import { binary, reversed } from "./operators.ts";
import { print, printQuoted } from "./printing.ts";
import { fail, refuse } from "./template-error.ts";
import { testsFor } from "./test-functions.ts";
import { TEXT_FILTERS, wholeNumber } from "./text-filters.ts";
import {
  characters,
  compareValues,
  Dict,
  failUndefined,
  isEqual,
  isTrue,
  iterate,
  OneTimeIterator,
  orElse,
  textOf,
  sorted,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

export type Filter = (args: Arguments) => Value;
type Getter = (item: Value) => Value;

/** A text in lower case; other values as they are. */
function ignoreCase(value: Value): Value {
  return typeof value === "string" ? value.toLowerCase() : (textOf(value)?.toLowerCase() ?? value);
}

function attributeParts(attribute: Value): Value[] {
  if (attribute === null) return [];
  const text = textOf(attribute);
  if (text === undefined) return [attribute];
  return text.split(".").map((part) => (/^\p{Nd}+$/u.test(part) ? BigInt(part) : part));
}

/** Reads an attribute, or attributes of attributes with dots between them. */
function getter(
  attribute: Value,
  { isCaseIgnored = false, otherwise }: { isCaseIgnored?: boolean; otherwise?: Value | undefined } = {},
): Getter {
  const parts = attributeParts(attribute);
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = getItem(value, part);
      if (otherwise !== undefined && otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return isCaseIgnored ? ignoreCase(value) : value;
  };
}

/** Goes through a sequence when it is asked for items, once. */
const lazily = (items: () => Iterable<Value>): OneTimeIterator =>
  new OneTimeIterator({
    *[Symbol.iterator]() {
      yield* items();
    },
  });

function list(value: Value): Value[] {
  const items: Value[] = [];
  for (const item of iterate(value)) {
    items.push(item);
    if (items.length % 4096 === 0) spendItems(items.length);
  }
  return items;
}

function named(kind: "filter" | "test", name: Value): (args: Arguments) => Value {
  const known: ReadonlyMap<string, (args: Arguments) => Value> = kind === "filter" ? FILTERS : TESTS;
  if (name instanceof Undefined) failUndefined(name);
  const found = known.get(textOf(name) ?? "");
  return found ?? fail(`there is no ${kind} ${printQuoted(name)}`);
}

function map({ positional: [value, ...rest], named: options }: Arguments): Value {
  return lazily(function* () {
    if (!isTrue(value!)) return;
    let change: Getter;
    if (rest.length === 0 && options.has("attribute")) {
      const unknown = [...options.keys()].find((key) => key !== "attribute" && key !== "default");
      if (unknown !== undefined) fail(`"map" takes no argument named "${unknown}"`);
      change = getter(options.get("attribute")!, { otherwise: options.get("default") });
    } else {
      const [name, ...further] = rest;
      if (name === undefined) fail('"map" needs the name of a filter');
      change = (item) => named("filter", name)({ positional: [item, ...further], named: options });
    }
    for (const item of iterate(value!)) yield change(item);
  });
}

/** `select`, `reject`, `selectattr` and `rejectattr` */
const select =
  (filter: string, isWanted: boolean, hasAttribute: boolean): Filter =>
  ({ positional: [value, ...rest], named: options }) =>
    lazily(function* () {
      if (!isTrue(value!)) return;
      const further = [...rest];
      const attribute = hasAttribute ? further.shift() : null;
      if (attribute === undefined) fail(`"${filter}" needs the name of an attribute`);
      const look = getter(attribute);
      const [name, ...args] = further;
      for (const item of iterate(value!)) {
        const looked = look(item);
        const is =
          name === undefined
            ? isTrue(looked)
            : isTrue(named("test", name)({ positional: [looked, ...args], named: options }));
        if (is === isWanted) yield item;
      }
    });

function sort(args: Arguments): Value {
  const [value, reverse = false, sensitive = false, attribute = null] = takeArguments(
    "sort",
    args,
    "value reverse? case_sensitive? attribute?",
  );
  const isCaseIgnored = !isTrue(sensitive);
  const text = textOf(attribute);
  const getters = (text === undefined ? [attribute] : text.split(",")).map((one) => getter(one, { isCaseIgnored }));
  return sorted(list(value!), (item) => getters.map((get) => get(item)), isTrue(reverse));
}

function unique(args: Arguments): Value {
  const [value, sensitive = false, attribute = null] = takeArguments(
    "unique",
    args,
    "value case_sensitive? attribute?",
  );
  const get = getter(attribute, { isCaseIgnored: !isTrue(sensitive) });
  return lazily(function* () {
    const seen = new Dict();
    for (const item of iterate(value!)) {
      const key = get(item);
      if (seen.has(key)) continue;
      seen.set(key, null);
      yield item;
    }
  });
}

/** The first of the smallest or largest items. */
const extreme =
  (name: "min" | "max"): Filter =>
  (args) => {
    const [value, sensitive = false, attribute = null] = takeArguments(name, args, "value case_sensitive? attribute?");
    const get = getter(attribute, { isCaseIgnored: !isTrue(sensitive) });
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value!)) {
      const key = get(item);
      const order = best === undefined ? -1 : compareValues(key, best.key, name === "min" ? "<" : ">");
      if (best === undefined || (name === "min" ? order < 0 : order > 0)) best = { item, key };
    }
    return orElse(best?.item, () => new Undefined(`"${name}" has no item to choose from`));
  };

function groupBy(args: Arguments): Value {
  const [value, attribute, otherwise = null, sensitive = false] = takeArguments(
    "groupby",
    args,
    "value attribute default? case_sensitive?",
  );
  const isCaseIgnored = !isTrue(sensitive);
  const get = getter(attribute!, { isCaseIgnored, otherwise });
  const getShown = getter(attribute!, { otherwise });
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(list(value!), get)) {
    const key = get(item);
    const last = groups.at(-1);
    if (last !== undefined && isEqual(last.key, key)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return groups.map(({ items }) => new Tuple([getShown(items[0]!), items], ["grouper", "list"]));
}

function dictSort(args: Arguments): Value {
  const [value, sensitive = false, by = "key", reverse = false] = takeArguments(
    "dictsort",
    args,
    "value case_sensitive? by? reverse?",
  );
  if (by !== "key" && by !== "value") fail('"dictsort" sorts by "key" or by "value"');
  if (value instanceof Undefined) failUndefined(value);
  if (!(value instanceof Dict)) fail(`"dictsort" needs a mapping, not a ${typeName(value!)}`);
  const items = [...value.entries()].map((pair) => new Tuple(pair));
  const key = (item: Value): Value => {
    const part = (item as Tuple).items[by === "key" ? 0 : 1]!;
    return isTrue(sensitive) ? part : ignoreCase(part);
  };
  return sorted(items, key, isTrue(reverse));
}

function batch(args: Arguments): Value {
  const [value, count, fill = null] = takeArguments("batch", args, "value linecount fill_with?");
  return lazily(function* () {
    let row: Value[] = [];
    for (const item of iterate(value!)) {
      if (isEqual(BigInt(row.length), count!)) {
        yield row;
        row = [];
      }
      row.push(item);
    }
    if (row.length === 0) return;
    if (fill !== null) {
      const size = wholeNumber(count!, "batch");
      spendItems(size);
      while (row.length < size) row.push(fill);
    }
    yield row;
  });
}

function slices(args: Arguments): Value {
  const [value, count, fill = null] = takeArguments("slice", args, "value slices fill_with?");
  return lazily(function* () {
    const items = list(value!);
    const size = wholeNumber(count!, "slice");
    if (size === 0) fail('"slice" needs at least 1 slice');
    const each = Math.floor(items.length / size);
    const longer = items.length - each * size;
    let begin = 0;
    for (let i = 0; i < size; i++) {
      const end = begin + each + (i < longer ? 1 : 0);
      const row = items.slice(begin, end);
      if (fill !== null && i >= longer) row.push(fill);
      begin = end;
      spendItems(0);
      yield row;
    }
  });
}

function join(args: Arguments): Value {
  const [value, separator = "", attribute = null] = takeArguments("join", args, "value d? attribute?");
  const get = getter(attribute);
  const parts: string[] = [];
  let length = 0;
  for (const item of iterate(value!)) {
    const part = print(get(item));
    length += part.length;
    spendText(length);
    parts.push(part);
  }
  const mark = print(separator);
  spendText(length + parts.length * mark.length);
  return parts.join(mark);
}

function sum(args: Arguments): Value {
  const [value, attribute = null, start = 0n] = takeArguments("sum", args, "iterable attribute? start?");
  if (textOf(start) !== undefined) fail('"sum" does not sum texts: use "join"');
  const get = getter(attribute);
  let total: Value = start;
  for (const item of iterate(value!)) total = binary("+", total, get(item));
  return total;
}

function reversedItems(args: Arguments): Value {
  const [value] = takeArguments("reverse", args, "value");
  const text = textOf(value!);
  if (text !== undefined) {
    spendText(text.length);
    return characters(text).toReversed().join("");
  }
  return reversed(value!) ?? list(value!).toReversed();
}

function pairs(args: Arguments): Value {
  const [value] = takeArguments("items", args, "value");
  return lazily(function* () {
    if (value instanceof Undefined) return;
    if (!(value instanceof Dict)) fail(`"items" needs a mapping, not a ${typeName(value!)}`);
    for (const pair of value.entries()) yield new Tuple(pair);
  });
}

const end =
  (name: "first" | "last"): Filter =>
  (args) => {
    const [value] = takeArguments(name, args, "seq");
    const from = name === "first" ? iterate(value!) : reversed(value!)?.items();
    if (from === undefined) fail(`"last" does not work on a ${typeName(value!)}`);
    for (const item of from) return item;
    return new Undefined(`"${name}" of what has no items`);
  };

/** All filters by name. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...TEXT_FILTERS,
  ...HTML_FILTERS,
  ["tojson", toJson],
  ["map", map],
  ["select", select("select", true, false)],
  ["reject", select("reject", false, false)],
  ["selectattr", select("selectattr", true, true)],
  ["rejectattr", select("rejectattr", false, true)],
  ["sort", sort],
  ["unique", unique],
  ["min", extreme("min")],
  ["max", extreme("max")],
  ["groupby", groupBy],
  ["dictsort", dictSort],
  ["batch", batch],
  ["slice", slices],
  ["join", join],
  ["sum", sum],
  ["reverse", reversedItems],
  ["items", pairs],
  ["first", end("first")],
  ["last", end("last")],
  ["list", (args) => list(takeArguments("list", args, "value")[0]!)],
  [
    "attr",
    (args) => {
      const [object, name] = takeArguments("attr", args, "obj name");
      const text = textOf(name!) ?? refuse('"attr" with a name that is no text');
      if (object instanceof Undefined) failUndefined(object);
      const found = ownAttribute(object!, text);
      if (found === undefined) return new Undefined(`a ${typeName(object!)} has no attribute ${printQuoted(name!)}`);
      return getAttribute(object!, text);
    },
  ],
]);

/** All tests by name. */
export const TESTS = testsFor(FILTERS);
