// The methods of Python's str. Lengths and positions count code points.

import { formatBraces, type FieldLookup } from "./brace-format.ts";
import { takeArguments } from "./arguments.ts";
import { SPACE } from "./lexer.ts";
import { CHARACTER_CLASSES, capitalize, isCase, isTitle, swapCase, title } from "./letters.ts";
import { spendItems, spendSearch, spendText } from "./limits.ts";
import { print, quote } from "./printing.ts";
import { fail, refuse } from "./template-error.ts";
import {
  Callable,
  characters,
  Dict,
  iterate,
  numberOf,
  textLength,
  textOf,
  Tuple,
  typeName,
  type Arguments,
  type Value,
} from "./values.ts";

const SPACES = new RegExp(`[${SPACE}]+`);
const LEADING = new RegExp(`^[${SPACE}]+`);
// oxlint-disable-next-line no-control-regex -- some of them end lines
const LINE_BREAK = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

/** Takes white space, or any of some characters, off the ends of a text. */
export function strip(text: string, chars: string | undefined, side: "both" | "left" | "right" = "both"): string {
  if (chars === undefined) {
    let end = text.length;
    if (side !== "left") while (end > 0 && SPACES.test(text[end - 1]!)) end--;
    const kept = text.slice(0, end);
    return side === "right" ? kept : kept.replace(LEADING, "");
  }
  const set = new Set(characters(chars));
  const all = characters(text);
  let [begin, end] = [0, all.length];
  if (side !== "right") while (begin < end && set.has(all[begin]!)) begin++;
  if (side !== "left") while (end > begin && set.has(all[end - 1]!)) end--;
  return all.slice(begin, end).join("");
}

/** Lines as Python counts them: also form feeds and Unicode's separators end one. */
export function splitLines(text: string, keepEnds = false): string[] {
  spendText(text.length);
  const lines: string[] = [];
  let begin = 0;
  for (const found of text.matchAll(LINE_BREAK)) {
    const end = found.index + found[0].length;
    lines.push(text.slice(begin, keepEnds ? end : found.index));
    begin = end;
  }
  if (begin < text.length) lines.push(text.slice(begin));
  return lines;
}

const text = (value: Value, method: string): string =>
  textOf(value) ?? fail(`"${method}" of a text needs a text, not a ${typeName(value)}`);
const whole = (value: Value, method: string): number => {
  const number = numberOf(value);
  if (typeof number !== "bigint") fail(`"${method}" of a text needs a whole number, not a ${typeName(value)}`);
  return Number(number);
};

/** Where the code points of a part begin and end, in UTF-16 units. */
function window(self: string, start: Value | undefined, end: Value | undefined, method: string): [number, number] {
  const length = textLength(self);
  const at = (value: Value | undefined, otherwise: number): number => {
    if (value === undefined || value === null) return otherwise;
    const index = whole(value, method);
    return Math.min(length, Math.max(0, index < 0 ? index + length : index));
  };
  const from = start === undefined || start === null ? 0 : whole(start, method) > length ? length + 1 : at(start, 0);
  const to = at(end, length);
  if (length === self.length) return [from, to];
  const all = characters(self);
  const units = (count: number): number => all.slice(0, count).join("").length + Math.max(0, count - length);
  return [units(from), units(to)];
}

function find(self: string, args: Arguments, method: string, isLast: boolean): number {
  const [wanted, start, end] = takeArguments(method, args, "sub start? end? /");
  const needle = text(wanted!, method);
  const [from, to] = window(self, start, end, method);
  if (from > to) return -1;
  spendSearch(self.length, needle.length);
  const part = self.slice(from, to);
  const found = isLast ? part.lastIndexOf(needle) : part.indexOf(needle);
  return found < 0 ? -1 : textLength(self.slice(0, from + found));
}

function hasEdge(self: string, args: Arguments, method: "startswith" | "endswith"): boolean {
  const [wanted, start, end] = takeArguments(method, args, "prefix start? end? /");
  const [from, to] = window(self, start, end, method);
  const part = from > to ? undefined : self.slice(from, to);
  const edges = wanted instanceof Tuple ? wanted.items : [wanted!];
  return edges.some((edge) => {
    const wantedText = text(edge, method);
    return part !== undefined && (method === "startswith" ? part.startsWith(wantedText) : part.endsWith(wantedText));
  });
}

function split(self: string, args: Arguments, method: "split" | "rsplit"): Value[] {
  const [separator = null, limit = -1n] = takeArguments(method, args, "sep? maxsplit?");
  const most = whole(limit, method);
  const isEndless = most < 0;
  spendText(self.length);
  let parts: string[];
  if (separator === null) {
    const stripped = strip(self, undefined, method === "split" ? "left" : "right");
    if (isEndless)
      parts = strip(stripped, undefined)
        .split(SPACES)
        .filter((part) => part !== "");
    else if (method === "split") {
      parts = [];
      let rest = stripped;
      while (rest !== "") {
        const next = parts.length < most ? SPACES.exec(rest) : null;
        if (next === null) {
          parts.push(parts.length < most ? rest : strip(rest, undefined, "left"));
          break;
        }
        parts.push(rest.slice(0, next.index));
        rest = rest.slice(next.index + next[0].length);
        spendItems(parts.length);
      }
      if (most === 0 && parts.length === 1) parts = [stripped];
    } else {
      parts = [];
      let rest = stripped;
      while (rest !== "") {
        if (parts.length >= most) {
          parts.unshift(rest);
          break;
        }
        let begin = rest.length;
        while (begin > 0 && !SPACES.test(rest[begin - 1]!)) begin--;
        parts.unshift(rest.slice(begin));
        rest = strip(rest.slice(0, begin), undefined, "right");
        spendItems(parts.length);
      }
    }
  } else {
    const mark = text(separator, method);
    if (mark === "") fail(`"${method}" needs a separator that is not empty`);
    spendSearch(self.length, mark.length);
    parts = self.split(mark);
    if (!isEndless && parts.length > most + 1) {
      parts =
        method === "split"
          ? [...parts.slice(0, most), parts.slice(most).join(mark)]
          : [parts.slice(0, parts.length - most).join(mark), ...parts.slice(parts.length - most)];
    }
  }
  spendItems(parts.length);
  return parts;
}

/** Python's `text.replace(old, new, count)`; a count below 0 replaces all. */
export function replaceText(self: string, old: string, by: string, count: number): string {
  spendSearch(self.length, old.length);
  if (old === "") {
    const all = characters(self);
    const places = count < 0 ? all.length + 1 : Math.min(count, all.length + 1);
    spendText(self.length + places * by.length);
    return all.map((character, i) => (i < places ? by : "") + character).join("") + (places > all.length ? by : "");
  }
  const parts = self.split(old);
  const most = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  spendText(self.length + most * by.length);
  return (
    parts.slice(0, most + 1).join(by) +
    parts
      .slice(most + 1)
      .map((part) => old + part)
      .join("")
  );
}

/** A text in the middle of a width; Python puts the odd character on the left of an odd width. */
export function center(self: string, width: number, fill = " "): string {
  const missing = width - textLength(self);
  if (missing <= 0) return self;
  spendText(missing + self.length);
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + self + fill.repeat(missing - left);
}

function justify(self: string, args: Arguments, method: string): string {
  const [wanted, filler = " "] = takeArguments(method, args, "width fillchar? /");
  const width = whole(wanted!, method);
  const fill = text(filler, method);
  if (textLength(fill) !== 1) fail(`"${method}" needs one character to fill with`);
  if (method === "center") return center(self, width, fill);
  const missing = Math.max(0, width - textLength(self));
  spendText(self.length + missing);
  return method === "ljust" ? self + fill.repeat(missing) : fill.repeat(missing) + self;
}

function expandTabs(self: string, size: number): string {
  let column = 0;
  let result = "";
  for (const character of characters(self)) {
    if (character === "\t") {
      const width = size > 0 ? size - (column % size) : 0;
      spendText(result.length + width);
      result += " ".repeat(width);
      column += width;
    } else {
      result += character;
      column = character === "\n" || character === "\r" ? 0 : column + 1;
    }
  }
  return result;
}

type Method = (self: string, args: Arguments, lookup: FieldLookup) => Value;

const none = (name: string, run: (self: string) => Value): [string, Method] => [
  name,
  (self, args) => {
    takeArguments(name, args, "/");
    spendText(self.length);
    return run(self);
  },
];

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  none("upper", (self) => self.toUpperCase()),
  none("lower", (self) => self.toLowerCase()),
  none("casefold", (self) => self.toLowerCase().toUpperCase().toLowerCase()),
  none("title", title),
  none("capitalize", capitalize),
  none("swapcase", swapCase),
  none("islower", (self) => isCase(self, "lower")),
  none("isupper", (self) => isCase(self, "upper")),
  none("istitle", isTitle),
  ...Object.entries(CHARACTER_CLASSES).map(([name, pattern]) => none(name, (self) => pattern.test(self))),
  ...(["strip", "lstrip", "rstrip"] as const).map((name): [string, Method] => [
    name,
    (self, args) => {
      const [chars = null] = takeArguments(name, args, "chars? /");
      spendText(self.length);
      const side = name === "strip" ? "both" : name === "lstrip" ? "left" : "right";
      return strip(self, chars === null ? undefined : text(chars, name), side);
    },
  ]),
  ["split", (self, args) => split(self, args, "split")],
  ["rsplit", (self, args) => split(self, args, "rsplit")],
  [
    "splitlines",
    (self, args) => {
      const [keepEnds = false] = takeArguments("splitlines", args, "keepends?");
      return splitLines(self, keepEnds !== false && whole(keepEnds, "splitlines") !== 0);
    },
  ],
  ["find", (self, args) => BigInt(find(self, args, "find", false))],
  ["rfind", (self, args) => BigInt(find(self, args, "rfind", true))],
  ...(["index", "rindex"] as const).map((name): [string, Method] => [
    name,
    (self, args) => {
      const found = find(self, args, name, name === "rindex");
      return found < 0 ? fail(`"${name}" does not find the text`) : BigInt(found);
    },
  ]),
  [
    "count",
    (self, args) => {
      const [wanted, start, end] = takeArguments("count", args, "sub start? end? /");
      const needle = text(wanted!, "count");
      const [from, to] = window(self, start, end, "count");
      if (from > to) return 0n;
      const part = self.slice(from, to);
      spendSearch(part.length, needle.length);
      return BigInt(needle === "" ? textLength(part) + 1 : part.split(needle).length - 1);
    },
  ],
  ["startswith", (self, args) => hasEdge(self, args, "startswith")],
  ["endswith", (self, args) => hasEdge(self, args, "endswith")],
  [
    "replace",
    (self, args) => {
      const [old, by, count = -1n] = takeArguments("replace", args, "old new count? /");
      return replaceText(self, text(old!, "replace"), text(by!, "replace"), whole(count, "replace"));
    },
  ],
  [
    "join",
    (self, args) => {
      const [items] = takeArguments("join", args, "iterable /");
      const parts: string[] = [];
      for (const item of iterate(items!)) parts.push(text(item, "join"));
      const joined = parts.join(self);
      spendText(joined.length);
      return joined;
    },
  ],
  ...(["partition", "rpartition"] as const).map((name): [string, Method] => [
    name,
    (self, args) => {
      const [separator] = takeArguments(name, args, "sep /");
      const mark = text(separator!, name);
      if (mark === "") fail(`"${name}" needs a separator that is not empty`);
      spendSearch(self.length, mark.length);
      const at = name === "partition" ? self.indexOf(mark) : self.lastIndexOf(mark);
      if (at < 0) return new Tuple(name === "partition" ? [self, "", ""] : ["", "", self]);
      return new Tuple([self.slice(0, at), mark, self.slice(at + mark.length)]);
    },
  ]),
  ...(["removeprefix", "removesuffix"] as const).map((name): [string, Method] => [
    name,
    (self, args) => {
      const [wanted] = takeArguments(name, args, "prefix /");
      const edge = text(wanted!, name);
      if (name === "removeprefix") return self.startsWith(edge) ? self.slice(edge.length) : self;
      return edge !== "" && self.endsWith(edge) ? self.slice(0, -edge.length) : self;
    },
  ]),
  ...(["center", "ljust", "rjust"] as const).map((name): [string, Method] => [
    name,
    (self, args) => justify(self, args, name),
  ]),
  [
    "zfill",
    (self, args) => {
      const [width] = takeArguments("zfill", args, "width /");
      const missing = Math.max(0, whole(width!, "zfill") - textLength(self));
      spendText(self.length + missing);
      const sign = /^[+-]/.test(self) ? self[0]! : "";
      return sign + "0".repeat(missing) + self.slice(sign.length);
    },
  ],
  [
    "expandtabs",
    (self, args) => {
      const [size = 8n] = takeArguments("expandtabs", args, "tabsize?");
      return expandTabs(self, whole(size, "expandtabs"));
    },
  ],
  ["format", (self, args, lookup) => formatBraces(self, args, lookup)],
  [
    "format_map",
    (self, args, lookup) => {
      const [mapping] = takeArguments("format_map", args, "mapping /");
      if (!(mapping instanceof Dict)) fail('"format_map" needs a mapping');
      const named = new Map([...mapping.entries()].map(([key, value]) => [print(key), value]));
      return formatBraces(self, { positional: [], named }, lookup);
    },
  ],
  ...["encode", "maketrans", "translate"].map((name): [string, Method] => [
    name,
    (self) => refuse(`"${name}" of the text ${quote(self.slice(0, 20))}`),
  ]),
]);

/** The method of a str, bound to it; undefined if there is none of that name. */
export function stringMethod(self: string, name: string, lookup: FieldLookup): Callable | undefined {
  const method = METHODS.get(name);
  return method && new Callable(name, (args) => method(self, args, lookup));
}
