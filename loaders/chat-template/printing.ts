// How Python prints values: `str` for what stands alone, `repr` for what stands in a list or dict.

import { MAX_NESTING, spend, spendText } from "./limits.ts";
import { fail, refuse } from "./template-error.ts";
import { Dict, Markup, Tuple, typeName, Undefined, type Value } from "./values.ts";

/** Digits of an int that Python prints at most. */
const MAX_DIGITS = 4300;

/** Python's `str(value)`. */
export function print(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof Markup) return value.text;
  return value instanceof Undefined ? "" : printQuoted(value);
}

/** Python's `repr(value)`. */
export function printQuoted(value: Value, depth = 0): string {
  spend();
  if (depth > MAX_NESTING) fail(`it prints a value that is nested more than ${MAX_NESTING} levels deep`);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return printInt(value);
  if (typeof value === "number") return printFloat(value);
  if (typeof value === "string") return quote(value);
  const all = (items: readonly Value[]): string => joined(items.map((item) => printQuoted(item, depth + 1)));
  if (Array.isArray(value)) return `[${all(value)}]`;
  if (value instanceof Tuple) return `(${all(value.items)}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof Dict) {
    const pairs = [...value.entries()].map(
      ([key, item]) => `${printQuoted(key, depth + 1)}: ${printQuoted(item, depth + 1)}`,
    );
    return `{${joined(pairs)}}`;
  }
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Markup) return `Markup(${quote(value.text)})`;
  const text = value.repr();
  if (text !== undefined) return text;
  if (value.typeName.startsWith("dict_")) return `${value.typeName}([${all([...value.items!()])}])`;
  return refuse(`printing a ${typeName(value)}, for which Python prints an address in memory,`);
}

function joined(parts: readonly string[]): string {
  const text = parts.join(", ");
  spendText(text.length);
  return text;
}

export function printInt(value: bigint): string {
  const text = value.toString();
  if (text.length > MAX_DIGITS)
    fail(`it prints an integer of ${text.length} digits; Python prints at most ${MAX_DIGITS}`);
  return text;
}

/** Python's `repr` of a float: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16) {
    // JavaScript writes no exponent in this range except below 1e-6, which is outside of it.
    const text = value.toString();
    return text.includes(".") ? text : `${text}.0`;
  }
  const digits = Math.abs(exponent).toString().padStart(2, "0");
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text in quotes, with what does not print as an escape. */
export function quote(text: string): string {
  spendText(text.length);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(/[\\'\n\r\t]|(?! )[\p{C}\p{Z}]/gu, (character) => {
    if (character === "'") return mark === "'" ? "\\'" : "'";
    const short = ESCAPES[character];
    if (short !== undefined) return short;
    const point = character.codePointAt(0) ?? 0;
    const hex = point.toString(16);
    if (point < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return point < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return mark + inside + mark;
}
