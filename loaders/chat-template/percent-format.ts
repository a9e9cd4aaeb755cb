// Python's `text % values`: formatting as in C.

import { spendText } from "./limits.ts";
import { fixedDigits, significantDigits } from "./numbers.ts";
import { print, printQuoted } from "./printing.ts";
import { fail } from "./template-error.ts";
import { Dict, numberOf, orElse, Range, textLength, Tuple, typeName, Undefined, type Value } from "./values.ts";

const SPECIFIER = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([#0\- +]*)(\*|\d+)?(\.(?:\*|\d*))?[hlL]?([^])?/gu;

/** Digits and widths that are made at most; Python makes more, but no template needs them. */
export const MAX_WIDTH = 1 << 16;

/** Formats a text; throws for values that do not fit its specifiers, as Python does. */
export function formatPercent(format: string, values: Value): string {
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let isNamed = false;
  const nextValue = (): Value => {
    const value = list[used++];
    if (value === undefined) fail("a text with % has more places than there are values");
    return value;
  };
  const star = (): number => {
    const value = nextValue();
    if (typeof value !== "bigint") fail('"*" in a text with % needs a whole number');
    return Number(value);
  };
  spendText(format.length);
  const result = format.replace(
    SPECIFIER,
    (
      _all: string,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string | undefined,
    ) => {
      if (type === undefined) fail("a text with % ends inside of a place for a value");
      let value: Value | undefined;
      if (name !== undefined) {
        if (!(values instanceof Dict)) fail("a text with %(name) needs a mapping");
        isNamed = true;
        value = orElse(values.get(name), () => fail(`a text with % names "${name}", which is not there`));
      }
      let size = width === "*" ? star() : Number(width ?? 0);
      const isLeft = flags.includes("-") || size < 0;
      size = Math.abs(size);
      const digits =
        precision === undefined ? undefined : precision === ".*" ? Math.max(0, star()) : Number(precision.slice(1));
      if (size > MAX_WIDTH || (digits ?? 0) > MAX_WIDTH) fail(`a text with % has a width of more than ${MAX_WIDTH}`);
      if (type === "%") return "%";
      if (value === undefined) value = nextValue();
      const [sign, body] = convert(type, value, flags, digits);
      const length = textLength(sign + body);
      if (length >= size) return sign + body;
      const fill = size - length;
      if (isLeft) return sign + body + " ".repeat(fill);
      const isNumber = !"srac".includes(type);
      return flags.includes("0") && isNumber && /\d/.test(body)
        ? sign + "0".repeat(fill) + body
        : " ".repeat(fill) + sign + body;
    },
  );
  if (!isNamed && used < list.length && !(values instanceof Dict) && !isSequence(values)) {
    fail("a text with % has fewer places than there are values");
  }
  spendText(result.length);
  return result;
}

/** What may be left over: what Python could take for a mapping. */
function isSequence(values: Value): boolean {
  return Array.isArray(values) || values instanceof Undefined || values instanceof Range;
}

/** The sign with its prefix, and the rest. */
function convert(
  type: string,
  value: Value,
  flags: string,
  digits: number | undefined,
): readonly [sign: string, body: string] {
  const signOf = (isNegative: boolean): string =>
    isNegative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  switch (type) {
    case "s":
    case "r":
    case "a": {
      const text = type === "s" ? print(value) : type === "r" ? printQuoted(value) : toAscii(printQuoted(value));
      return ["", digits === undefined ? text : [...text].slice(0, digits).join("")];
    }
    case "c": {
      if (typeof value === "bigint") return ["", String.fromCodePoint(Number(value))];
      if (typeof value === "string" && textLength(value) === 1) return ["", value];
      return fail("%c needs a whole number or one character");
    }
    case "d":
    case "i":
    case "u":
    case "x":
    case "X":
    case "o": {
      const number = numberOf(value);
      if (number === undefined || (typeof number === "number" && !"diu".includes(type))) {
        fail(`%${type} needs a whole number, not a ${typeName(value)}`);
      }
      if (typeof number === "number" && !Number.isFinite(number)) fail(`%${type} needs a finite number`);
      const whole = BigInt(typeof number === "number" ? Math.trunc(number) : number);
      const radix = type === "o" ? 8 : type.toLowerCase() === "x" ? 16 : 10;
      let body = (whole < 0n ? -whole : whole).toString(radix).padStart(digits ?? 0, "0");
      if (type === "X") body = body.toUpperCase();
      const prefix = flags.includes("#") && radix !== 10 ? `0${type}` : "";
      return [signOf(whole < 0n) + prefix, body];
    }
    case "e":
    case "E":
    case "f":
    case "F":
    case "g":
    case "G": {
      const number = numberOf(value);
      if (number === undefined) fail(`%${type} needs a number, not a ${typeName(value)}`);
      const float = Number(number);
      const isNegative = float < 0 || Object.is(float, -0);
      const body = formatFloat(Math.abs(float), type, digits ?? 6, flags.includes("#"));
      return [signOf(isNegative), body];
    }
    default:
      return fail(`a text with % has the unknown place "%${type}"`);
  }
}

/** A text with everything beyond ASCII as escapes. */
export function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}

/** A float of 0 or more by the types e, f, g and their capitals. @param isFull keep zeros at the end and the point (`#`) */
export function formatFloat(value: number, type: string, precision: number, isFull = false): string {
  const isCapital = type !== type.toLowerCase();
  const text = formatLower(value, type.toLowerCase(), precision, isFull);
  return isCapital ? text.toUpperCase() : text;
}

function formatLower(value: number, type: string, precision: number, isFull: boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (value === Infinity) return "inf";
  const point = (text: string): string => (isFull && !text.includes(".") ? `${text}.` : text);
  const withExponent = (digits: string, exponent: number): string => {
    const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    const power = Math.abs(exponent).toString().padStart(2, "0");
    return `${point(mantissa)}e${exponent < 0 ? "-" : "+"}${power}`;
  };
  if (type === "f") return point(fixedDigits(value, precision));
  if (type === "e") {
    const { digits, exponent } = significantDigits(value, precision + 1);
    return withExponent(digits, exponent);
  }
  const count = Math.max(1, precision);
  const { digits, exponent } = significantDigits(value, count);
  const trim = (text: string): string => (isFull ? text : text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= count) {
    return withExponent(isFull ? digits : digits[0]! + digits.slice(1).replace(/0+$/, ""), exponent);
  }
  if (exponent < 0) return trim(`0.${"0".repeat(-exponent - 1)}${digits}`);
  const whole = digits.slice(0, exponent + 1);
  return point(trim(exponent + 1 < digits.length ? `${whole}.${digits.slice(exponent + 1)}` : whole));
}
