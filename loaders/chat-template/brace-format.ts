// Python's `text.format(...)` and its format specifications.

import { spendText } from "./limits.ts";
import { fixedDigits, significantDigits } from "./numbers.ts";
import { formatFloat, MAX_WIDTH, toAscii } from "./percent-format.ts";
import { print, printFloat, printInt, printQuoted } from "./printing.ts";
import { fail } from "./template-error.ts";
import { textLength, textOf, typeName, type Arguments, type Value } from "./values.ts";

/** How attributes and items in `{name.attribute[item]}` are looked up. */
export interface FieldLookup {
  attribute(object: Value, name: string): Value;
  item(object: Value, index: Value): Value;
}

/** Formats a text; throws for fields that are not there and specifications that do not fit, as Python does. */
export function formatBraces(format: string, args: Arguments, lookup: FieldLookup): string {
  let position = 0;
  let automatic = 0;
  let isManual = false;

  function take(depth: number): string {
    let result = "";
    while (position < format.length) {
      const character = format[position]!;
      if (character === "}" && depth > 0) return result;
      position++;
      if (character !== "{" && character !== "}") {
        result += character;
      } else if (format[position] === character && depth === 0) {
        position++;
        result += character;
      } else if (character === "}") {
        fail('a text with {} has a single "}"');
      } else {
        result += field(depth);
      }
    }
    if (depth > 0) fail('a text with {} has a "{" without its "}"');
    return result;
  }

  function field(depth: number): string {
    if (depth > 1) fail("a text with {} has fields nested too deep");
    const match = /^([^{}:![]*(?:\[[^\]]*\][^{}:![]*)*)(?:!([^{}:]))?(:)?/.exec(
      format.slice(position, position + 4096),
    );
    if (match === null) fail("a text with {} has a field that cannot be read");
    position += match[0].length;
    const [, name = "", conversion, colon] = match;
    const value = valueOf(name);
    const spec = colon === undefined ? "" : take(depth + 1);
    if (format[position] !== "}") fail('a text with {} has a "{" without its "}"');
    position++;
    const converted =
      conversion === undefined
        ? value
        : conversion === "r"
          ? printQuoted(value)
          : conversion === "s"
            ? print(value)
            : conversion === "a"
              ? toAscii(printQuoted(value))
              : fail(`a text with {} has the unknown conversion "!${conversion}"`);
    return formatValue(converted, spec);
  }

  function valueOf(name: string): Value {
    const first = /^[^.[]*/.exec(name)?.[0] ?? "";
    let value: Value | undefined;
    if (name === "" || /^\d+$/.test(first)) {
      if (name === "") {
        if (isManual) fail("a text with {} mixes numbered fields with fields that are not");
        value = args.positional[automatic++];
      } else {
        if (automatic > 0) fail("a text with {} mixes numbered fields with fields that are not");
        isManual = true;
        value = args.positional[Number(first)];
      }
    } else value = args.named.get(first);
    if (value === undefined) fail(`a text with {} has the field "${name}", for which there is no value`);
    for (let rest = name.slice(first.length); rest !== "";) {
      const part = /^(?:\.([^.[]+)|\[([^\]]+)\])/.exec(rest);
      if (part === null) fail(`a text with {} has the field "${name}", which cannot be read`);
      const [all, attribute, item] = part;
      if (attribute !== undefined) value = lookup.attribute(value, attribute);
      else value = lookup.item(value, /^\d+$/.test(item!) ? BigInt(item!) : item!);
      rest = rest.slice(all.length);
    }
    return value;
  }

  const result = take(0);
  spendText(result.length);
  return result;
}

const SPEC = /^(?:([^])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([_,])?(?:\.(\d+))?([^])?$/u;

/** Python's `format(value, spec)`. */
function formatValue(value: Value, spec: string): string {
  if (spec === "") return print(value);
  const isNumber = typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
  const text = textOf(value);
  if (!isNumber && text === undefined) fail(`a ${typeName(value)} takes no format specification ("${spec}")`);
  const match = SPEC.exec(spec);
  if (match === null) fail(`"${spec}" is no format specification`);
  const [, fill, align, sign, zero, alternate, padding, widthText, grouping, precisionText, type] = match;
  const width = Number(widthText ?? 0);
  const precision = precisionText === undefined ? undefined : Number(precisionText);
  if (width > MAX_WIDTH || (precision ?? 0) > MAX_WIDTH) fail(`a text with {} has a width of more than ${MAX_WIDTH}`);
  if (zero !== undefined) fail(`"${spec}" is no format specification of Python 3.10`);

  if (text !== undefined) {
    if ((type ?? "s") !== "s" || sign || alternate || grouping || align === "=") fail(`"${spec}" does not fit a text`);
    const cut = precision === undefined ? text : [...text].slice(0, precision).join("");
    return pad("", cut, fill ?? (padding ? "0" : " "), align ?? "<", width);
  }
  const { isNegative, prefix, body, isGrouped } = numberParts(
    typeof value === "boolean" ? (value ? 1n : 0n) : (value as bigint | number),
    { type, precision, isAlternate: alternate !== undefined, spec, grouping },
  );
  const start = (isNegative ? "-" : sign === "+" || sign === " " ? sign : "") + prefix;
  const filler = fill ?? (padding ? "0" : " ");
  const side = align ?? (padding ? "=" : ">");
  if (grouping === undefined || !isGrouped) return pad(start, body, filler, side, width);
  const every = /[boxX]/.test(type ?? "") ? 4 : 3;
  const [whole = "", ...rest] = body.split(/(?=[.e%])/);
  // With zeros before it, separators are counted into the width.
  let digits = whole;
  if (filler === "0" && side === "=") {
    const tail = rest.join("").length;
    while (group(`0${digits}`, every, grouping).length + tail + start.length <= width) digits = `0${digits}`;
  }
  return pad(start, group(digits, every, grouping) + rest.join(""), filler, side, width);
}

function group(digits: string, every: number, separator: string): string {
  if (!/^[\da-fA-F]+$/.test(digits)) return digits;
  const parts: string[] = [];
  for (let end = digits.length; end > 0; end -= every) parts.unshift(digits.slice(Math.max(0, end - every), end));
  return parts.join(separator);
}

function pad(start: string, body: string, fill: string, align: string, width: number): string {
  const missing = width - textLength(start + body);
  if (missing <= 0) return start + body;
  if (align === "<") return start + body + fill.repeat(missing);
  if (align === ">") return fill.repeat(missing) + start + body;
  if (align === "=") return start + fill.repeat(missing) + body;
  const left = Math.floor(missing / 2);
  return fill.repeat(left) + start + body + fill.repeat(missing - left);
}

interface NumberFormat {
  readonly type: string | undefined;
  readonly precision: number | undefined;
  readonly isAlternate: boolean;
  readonly spec: string;
  readonly grouping: string | undefined;
}

function numberParts(
  value: bigint | number,
  { type, precision, isAlternate, spec, grouping }: NumberFormat,
): { readonly isNegative: boolean; readonly prefix: string; readonly body: string; readonly isGrouped: boolean } {
  if (typeof value === "bigint" && (type === undefined || "bcdnoxX".includes(type))) {
    if (precision !== undefined) fail(`"${spec}" does not fit a whole number`);
    if (grouping !== undefined && (type === "c" || type === "n" || (grouping === "," && /[boxX]/.test(type ?? "")))) {
      fail(`"${spec}" does not fit a whole number`);
    }
    const size = value < 0n ? -value : value;
    if (type === "c")
      return { isNegative: false, prefix: "", body: String.fromCodePoint(Number(value)), isGrouped: false };
    const radix = type === "b" ? 2 : type === "o" ? 8 : type === "x" || type === "X" ? 16 : 10;
    const digits = radix === 10 ? printInt(size) : size.toString(radix);
    return {
      isNegative: value < 0n,
      prefix: isAlternate && radix !== 10 ? `0${type}` : "",
      body: type === "X" ? digits.toUpperCase() : digits,
      isGrouped: true,
    };
  }
  if (type !== undefined && !"eEfFgGn%".includes(type)) fail(`"${spec}" does not fit a number`);
  const float = Number(value);
  const isNegative = float < 0 || Object.is(float, -0);
  const size = Math.abs(float);
  const body = floatBody(size, type, precision, isAlternate);
  return { isNegative, prefix: "", body, isGrouped: Number.isFinite(float) };
}

function floatBody(value: number, type: string | undefined, precision: number | undefined, isFull: boolean): string {
  if (type === "%")
    return Number.isFinite(value) ? `${fixedDigits(value * 100, precision ?? 6)}%` : `${printFloat(value)}%`;
  if (type === "n") return formatFloat(value, "g", precision ?? 6, isFull);
  if (type !== undefined) return formatFloat(value, type, precision ?? 6, isFull);
  if (precision === undefined || !Number.isFinite(value)) return printFloat(value);
  // Without a type: like g, but with at least one digit after the point, and with an exponent one digit earlier.
  const count = Math.max(1, precision);
  const { exponent } = significantDigits(value, count);
  if (exponent >= -4 && exponent < count - (count === precision && exponent + 1 >= count ? 1 : 0)) {
    const text = formatFloat(value, "g", count, isFull);
    return text.includes(".") ? text : `${text}.0`;
  }
  const { digits, exponent: power } = significantDigits(value, count);
  const trimmed = digits[0]! + digits.slice(1).replace(/0+$/, "");
  const mantissa = trimmed.length > 1 ? `${trimmed[0]}.${trimmed.slice(1)}` : trimmed;
  return `${mantissa}e${power < 0 ? "-" : "+"}${Math.abs(power).toString().padStart(2, "0")}`;
}
