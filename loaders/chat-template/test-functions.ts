// The tests of Jinja: what stands after `is`.

import { takeArguments } from "./arguments.ts";
import { binary, compare } from "./operators.ts";
import { print } from "./printing.ts";
import { isCase } from "./letters.ts";
import type { Comparison } from "./syntax.ts";
import { fail } from "./template-error.ts";
import {
  Dict,
  HostObject,
  isEqual,
  isHashable,
  iteratorOf,
  lengthOf,
  Markup,
  numberOf,
  Range,
  textOf,
  Tuple,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

type Test = (args: Arguments) => boolean;

const one =
  (name: string, is: (value: Value) => boolean): Test =>
  (args) =>
    is(takeArguments(name, args, "value")[0]!);
const two =
  (name: string, is: (value: Value, other: Value) => boolean): Test =>
  (args) => {
    const [value, other] = takeArguments(name, args, "value other");
    return is(value!, other!);
  };

const COMPARED: Readonly<Record<string, Comparison>> = {
  "==": "==", eq: "==", equalto: "==", "!=": "!=", ne: "!=", ">": ">", gt: ">", greaterthan: ">", ">=": ">=", ge: ">=",
  "<": "<", lt: "<", lessthan: "<", "<=": "<=", le: "<=", in: "in",
}; // prettier-ignore

/** The tests that look at values alone. */
const VALUE_TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ...Object.entries(COMPARED).map(([name, operator]): [string, Test] => [
    name,
    two(name, (value, other) => compare(operator, value, other)),
  ]),
  ["odd", one("odd", (value) => isEqual(binary("%", value, 2n), 1n))],
  ["even", one("even", (value) => isEqual(binary("%", value, 2n), 0n))],
  [
    "divisibleby",
    (args) => {
      const [value, divisor] = takeArguments("divisibleby", args, "value num");
      return isEqual(binary("%", value!, divisor!), 0n);
    },
  ],
  ["defined", one("defined", (value) => !(value instanceof Undefined))],
  ["undefined", one("undefined", (value) => value instanceof Undefined)],
  ["none", one("none", (value) => value === null)],
  ["boolean", one("boolean", (value) => typeof value === "boolean")],
  ["true", one("true", (value) => value === true)],
  ["false", one("false", (value) => value === false)],
  ["integer", one("integer", (value) => typeof value === "bigint")],
  ["float", one("float", (value) => typeof value === "number")],
  ["number", one("number", (value) => numberOf(value) !== undefined)],
  ["string", one("string", (value) => textOf(value) !== undefined)],
  ["lower", one("lower", (value) => isCase(print(value), "lower"))],
  ["upper", one("upper", (value) => isCase(print(value), "upper"))],
  ["mapping", one("mapping", (value) => value instanceof Dict)],
  [
    "sequence",
    one(
      "sequence",
      (value) => lengthOf(value) !== undefined && (!(value instanceof HostObject) || value instanceof Range),
    ),
  ],
  ["iterable", one("iterable", (value) => iteratorOf(value) !== undefined)],
  [
    "callable",
    one("callable", (value) => value instanceof Undefined || (value instanceof HostObject && value.call !== undefined)),
  ],
  ["escaped", one("escaped", (value) => value instanceof Markup)],
  ["sameas", two("sameas", isSame)],
]);

/** All tests by name, for the filters of these names. */
export function testsFor(filters: ReadonlyMap<string, unknown>): ReadonlyMap<string, Test> {
  const tests = new Map(VALUE_TESTS);
  tests.set(
    "filter",
    one("filter", (value) => isName(filters, value)),
  );
  tests.set(
    "test",
    one("test", (value) => isName(tests, value)),
  );
  return tests;
}

function isName(known: ReadonlyMap<string, unknown>, value: Value): boolean {
  if (!isHashable(value)) fail("the name of a filter or test is a text");
  return known.has(textOf(value) ?? "");
}

/** Python's `is`, for values without an address of their own by type and value. */
function isSame(value: Value, other: Value): boolean {
  if (value instanceof Undefined || other instanceof Undefined) return value === other;
  if (value instanceof Tuple && other instanceof Tuple && value.items.length === 0) return other.items.length === 0;
  return Object.is(value, other);
}
