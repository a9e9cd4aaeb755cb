// The filters of Jinja that work on texts and numbers.

import { takeArguments } from "./arguments.ts";
import { SPACE } from "./lexer.ts";
import { spendItems, spendText } from "./limits.ts";
import { parseFloatText, parseInteger, roundFloat, roundInt, toFloat } from "./numbers.ts";
import { binary } from "./operators.ts";
import { formatPercent } from "./percent-format.ts";
import { print, printQuoted } from "./printing.ts";
import { capitalize } from "./letters.ts";
import { center, replaceText, splitLines, strip } from "./string-methods.ts";
import { fail, refuse } from "./template-error.ts";
import {
  characters,
  Dict,
  failUndefined,
  isTrue,
  lengthOf,
  Markup,
  numberOf,
  sorted,
  textLength,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

type Filter = (args: Arguments) => Value;

/** A whole number among a filter's arguments. */
export function wholeNumber(value: Value, filter: string): number {
  const number = numberOf(value);
  if (value instanceof Undefined) failUndefined(value);
  if (typeof number !== "bigint") fail(`"${filter}" needs a whole number, not a ${typeName(value)}`);
  return Number(number);
}

/** A filter that makes a text of a text; escaped text stays escaped. */
const onText = (
  name: string,
  signature: string,
  run: (text: string, ...rest: (Value | undefined)[]) => string,
): [string, Filter] => [
  name,
  (args) => {
    const [value, ...rest] = takeArguments(name, args, `value ${signature}`);
    const text = print(value!);
    spendText(text.length);
    const result = run(text, ...rest);
    return value instanceof Markup ? new Markup(result) : result;
  },
];

function indent(text: Value, width: Value, isFirst: boolean, isBlank: boolean): Value {
  const self = textOf(text);
  if (text instanceof Undefined) failUndefined(text);
  if (self === undefined) fail(`"indent" needs a text, not a ${typeName(text)}`);
  const by = textOf(width) ?? spaces(wholeNumber(width, "indent"));
  // A line break at the end makes the last line one of its own.
  const lines = splitLines(`${self}\n`);
  spendText(self.length + lines.length * by.length);
  const rest = lines.slice(1).map((line) => (isBlank || line !== "" ? by : "") + line);
  const result = (isFirst ? by : "") + [lines[0] ?? "", ...rest].join("\n");
  return text instanceof Markup ? new Markup(result) : result;
}

function spaces(count: number): string {
  spendText(count);
  return " ".repeat(Math.max(0, count));
}

const WORD_BEGIN = new RegExp(`([-${SPACE}({\\[<]+)`);

function truncate(
  value: Value,
  [length = 255n, isCut = false, end = "...", leeway]: readonly (Value | undefined)[],
): Value {
  const size = wholeNumber(length, "truncate");
  const tail = textOf(end) ?? fail('"truncate" needs a text as its end');
  const most = leeway === undefined || leeway === null ? 5 : wholeNumber(leeway, "truncate");
  if (size < textLength(tail)) fail(`"truncate" needs a length of at least ${textLength(tail)}, that of its end`);
  if (most < 0) fail('"truncate" needs a leeway of at least 0');
  const count = lengthOf(value) ?? fail(`"truncate" needs a text, not a ${typeName(value)}`);
  if (count <= size + most) return value;
  const text = typeof value === "string" ? value : refuse(`"truncate" of a ${typeName(value)}`);
  const cut = characters(text)
    .slice(0, size - textLength(tail))
    .join("");
  const space = cut.lastIndexOf(" ");
  return (isTrue(isCut) || space < 0 ? cut : cut.slice(0, space)) + tail;
}

/** Python's `int(value)`, or what is given for values that are none. */
function toInteger(value: Value, otherwise: Value, base: number): Value {
  if (value instanceof Undefined) failUndefined(value);
  const text = textOf(value);
  if (text !== undefined) {
    const stripped = strip(text, undefined);
    if (base !== 0 && (base < 2 || base > 36)) return truncated(parseFloatText(stripped), otherwise);
    return parseInteger(stripped, base) ?? truncated(parseFloatText(stripped), otherwise);
  }
  const number = numberOf(value);
  if (number === Infinity || number === -Infinity) fail("infinity cannot be a whole number");
  return typeof number === "bigint" ? number : truncated(number, otherwise);
}

function truncated(number: number | undefined, otherwise: Value): Value {
  return number === undefined || !Number.isFinite(number) ? otherwise : BigInt(Math.trunc(number));
}

function toFloatOr(value: Value, otherwise: Value): Value {
  if (value instanceof Undefined) failUndefined(value);
  const text = textOf(value);
  if (text !== undefined) return parseFloatText(strip(text, undefined)) ?? otherwise;
  const number = numberOf(value);
  return number === undefined ? otherwise : toFloat(number);
}

function round(value: Value, precision: Value, method: Value): Value {
  const name = textOf(method) ?? "";
  if (!["common", "ceil", "floor"].includes(name)) fail('"round" knows the methods common, ceil and floor');
  const number = numberOf(value);
  if (value instanceof Undefined) failUndefined(value);
  if (number === undefined) fail(`"round" needs a number, not a ${typeName(value)}`);
  if (name === "common") {
    if (precision === null) {
      if (typeof number === "bigint") return number;
      return Number.isFinite(number)
        ? BigInt(roundFloat(number, 0))
        : fail(`"round" cannot make ${number} a whole number`);
    }
    const digits = wholeNumber(precision, "round");
    return typeof number === "bigint" ? roundInt(number, digits) : roundFloat(number, digits);
  }
  const factor = binary("**", 10n, precision);
  const product = numberOf(binary("*", number, factor));
  if (product === undefined || (typeof product === "number" && !Number.isFinite(product)))
    fail('"round" needs a finite number');
  const whole =
    typeof product === "bigint" ? product : BigInt(name === "ceil" ? Math.ceil(product) : Math.floor(product));
  return binary("/", whole, factor);
}

function fileSize(value: Value, isBinary: boolean): string {
  const number = toFloatOr(value, null);
  if (typeof number !== "number") fail(`"filesizeformat" needs a number, not a ${typeName(value)}`);
  if (number === 1) return "1 Byte";
  const base = isBinary ? 1024 : 1000;
  if (number < base) return `${Math.trunc(number)} Bytes`;
  if (!(number < Infinity)) fail('"filesizeformat" needs a finite number');
  const letters = isBinary ? "KMGTPEZY" : "kMGTPEZY";
  let i = 0;
  while (i < letters.length - 1 && number >= base ** (i + 2)) i++;
  return `${formatPercent("%.1f", (base * number) / base ** (i + 2))} ${letters[i]}${isBinary ? "i" : ""}B`;
}

/** Python's pprint: as `repr`, but with sorted keys. What does not fit into a line it breaks, which is not supported. */
function prettyPrint(value: Value): string {
  const sortKeys = (one: Value): Value => {
    if (Array.isArray(one)) return one.map(sortKeys);
    if (one instanceof Tuple) return new Tuple(one.items.map(sortKeys));
    if (!(one instanceof Dict)) return one;
    const keys = [...one.keys()];
    const isText = keys.every((key) => typeof key === "string");
    if (!isText && keys.length > 1 && !keys.every((key) => numberOf(key) !== undefined))
      refuse('"pprint" of keys of several types');
    return new Dict(sorted(keys, (key) => key).map((key) => [key, sortKeys(one.get(key)!)]));
  };
  const text = printQuoted(sortKeys(value));
  if (textLength(text) > 80) refuse('"pprint" of what does not fit into a line of 80 characters');
  return text;
}

/** Unicode's `\w`. */
const WORDS = /[\p{L}\p{N}_]+/gu;

export const TEXT_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  onText("upper", "", (text) => text.toUpperCase()),
  onText("lower", "", (text) => text.toLowerCase()),
  onText("capitalize", "", capitalize),
  onText("title", "", (text) =>
    text
      .split(WORD_BEGIN)
      .map((part) => characters(part))
      .map(([first = "", ...rest]) => first.toUpperCase() + rest.join("").toLowerCase())
      .join(""),
  ),
  onText("string", "", (text) => text),
  onText("center", "width?", (text, width = 80n) => center(text, wholeNumber(width, "center"))),
  onText("trim", "chars?", (text, chars = null) =>
    strip(text, chars === null ? undefined : (textOf(chars) ?? fail('"trim" needs a text of characters'))),
  ),
  [
    "replace",
    (args) => {
      const [value, old, by, count = null] = takeArguments("replace", args, "s old new count?");
      const most = count === null ? -1 : wholeNumber(count, "replace");
      return replaceText(print(value!), print(old!), print(by!), most);
    },
  ],
  [
    "format",
    ({ positional: [value, ...rest], named }) => {
      if (rest.length > 0 && named.size > 0) fail('"format" takes values by place or by name, not both');
      const values = named.size > 0 ? new Dict(named) : new Tuple(rest);
      return formatPercent(print(value!), values);
    },
  ],
  [
    "indent",
    (args) => {
      const [text, width = 4n, first = false, blank = false] = takeArguments("indent", args, "s width? first? blank?");
      return indent(text!, width, isTrue(first), isTrue(blank));
    },
  ],
  [
    "truncate",
    (args) => {
      const [value, ...rest] = takeArguments("truncate", args, "s length? killwords? end? leeway?");
      return truncate(value!, rest);
    },
  ],
  [
    "wordcount",
    (args) => {
      const text = print(takeArguments("wordcount", args, "s")[0]!);
      spendText(text.length);
      return BigInt(text.match(WORDS)?.length ?? 0);
    },
  ],
  [
    "abs",
    (args) => {
      const [value] = takeArguments("abs", args, "x /");
      const number = numberOf(value!);
      if (value instanceof Undefined) failUndefined(value);
      if (number === undefined) fail(`"abs" needs a number, not a ${typeName(value!)}`);
      return number < 0 || Object.is(number, -0) ? -number : number;
    },
  ],
  [
    "int",
    (args) => {
      const [value, otherwise = 0n, base = 10n] = takeArguments("int", args, "value default? base?");
      return toInteger(value!, otherwise, wholeNumber(base, "int"));
    },
  ],
  [
    "float",
    (args) => {
      const [value, otherwise = 0] = takeArguments("float", args, "value default?");
      return toFloatOr(value!, otherwise);
    },
  ],
  [
    "round",
    (args) => {
      const [value, precision = 0n, method = "common"] = takeArguments("round", args, "value precision? method?");
      return round(value!, precision, method);
    },
  ],
  [
    "filesizeformat",
    (args) => {
      const [value, isBinary = false] = takeArguments("filesizeformat", args, "value binary?");
      return fileSize(value!, isTrue(isBinary));
    },
  ],
  ["pprint", (args) => prettyPrint(takeArguments("pprint", args, "value")[0]!)],
  ["random", () => refuse('the filter "random"')],
  ["default", (args) => defaultTo(args)],
  ["d", (args) => defaultTo(args)],
  ...["length", "count"].map((name): [string, Filter] => [
    name,
    (args) => {
      const [value] = takeArguments(name, args, "obj /");
      const length = lengthOf(value!) ?? fail(`a ${typeName(value!)} has no length`);
      spendItems(0);
      return BigInt(length);
    },
  ]),
]);

function defaultTo(args: Arguments): Value {
  const [value, otherwise = "", isBoolean = false] = takeArguments("default", args, "value default_value? boolean?");
  return value instanceof Undefined || (isTrue(isBoolean) && !isTrue(value!)) ? otherwise : value!;
}
