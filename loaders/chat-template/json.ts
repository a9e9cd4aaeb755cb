// The filter `tojson` as transformers has it: Python's `json.dumps` with its separators, nothing escaped for HTML.

import { takeArguments } from "./arguments.ts";
import { MAX_NESTING, spend, spendText } from "./limits.ts";
import { printFloat, printInt } from "./printing.ts";
import { fail } from "./template-error.ts";
import { Dict, isTrue, numberOf, sorted, textOf, Tuple, typeName, type Arguments, type Value } from "./values.ts";

interface Style {
  /** What a level is indented by; undefined for all in one line. */
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly isAscii: boolean;
  readonly isSorted: boolean;
}

/** `value | tojson(ensure_ascii, indent, separators, sort_keys)` */
export function toJson(args: Arguments): string {
  const [value, ascii = false, indent = null, separators = null, sort = false] = takeArguments(
    "tojson",
    args,
    "x ensure_ascii? indent? separators? sort_keys?",
  );
  const number = numberOf(indent);
  if (indent !== null && typeof number !== "bigint" && typeof indent !== "string")
    fail('"tojson" takes a number or a text as indent');
  const level =
    indent === null
      ? undefined
      : typeof indent === "string"
        ? indent
        : " ".repeat(Math.min(1000, Math.max(0, Number(number))));
  const style = {
    indent: level,
    separators: separatorsOf(separators, level !== undefined),
    isAscii: isTrue(ascii),
    isSorted: isTrue(sort),
  };
  const text = write(value!, style, 0);
  spendText(text.length);
  return text;
}

function separatorsOf(value: Value, isIndented: boolean): readonly [string, string] {
  if (value === null) return [isIndented ? "," : ", ", ": "];
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? value : [];
  const [item, key] = items.map(textOf);
  if (items.length !== 2 || item === undefined || key === undefined) fail('"tojson" takes two texts as separators');
  return [item, key];
}

function write(value: Value, style: Style, depth: number): string {
  spend();
  if (depth > MAX_NESTING) fail(`"tojson" is given a value that is nested more than ${MAX_NESTING} levels deep`);
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "bigint") return printInt(value);
  if (typeof value === "number") return writeFloat(value);
  const text = textOf(value);
  if (text !== undefined) return writeText(text, style.isAscii);
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items !== undefined) {
    return enclose(
      "[",
      items.map((item) => write(item, style, depth + 1)),
      "]",
      style,
      depth,
    );
  }
  if (value instanceof Dict) {
    const keys = style.isSorted ? sorted([...value.keys()], (key) => key) : [...value.keys()];
    const pairs = keys.map(
      (key) => writeText(keyText(key), style.isAscii) + style.separators[1] + write(value.get(key)!, style, depth + 1),
    );
    return enclose("{", pairs, "}", style, depth);
  }
  return fail(`a ${typeName(value)} cannot be written as JSON`);
}

function enclose(open: string, parts: readonly string[], close: string, style: Style, depth: number): string {
  const [separator] = style.separators;
  if (parts.length === 0) return open + close;
  if (style.indent === undefined) return open + parts.join(separator) + close;
  const line = `\n${style.indent.repeat(depth + 1)}`;
  return `${open}${line}${parts.join(separator + line)}\n${style.indent.repeat(depth)}${close}`;
}

function writeFloat(value: number): string {
  if (Number.isFinite(value)) return printFloat(value);
  return Number.isNaN(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
}

function keyText(key: Value): string {
  const text = textOf(key);
  if (text !== undefined) return text;
  if (key === null) return "null";
  if (typeof key === "boolean") return key ? "true" : "false";
  if (typeof key === "bigint") return printInt(key);
  if (typeof key === "number") return writeFloat(key);
  return fail(`a ${typeName(key)} cannot be a key in JSON`);
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b",
}; // prettier-ignore

function writeText(text: string, isAscii: boolean): string {
  spendText(text.length);
  // oxlint-disable-next-line no-control-regex -- control characters are what JSON escapes
  const pattern = isAscii ? /["\\]|[^ -~]/g : /["\\\0-\x1f]/g;
  const inside = text.replace(
    pattern,
    (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${inside}"`;
}
