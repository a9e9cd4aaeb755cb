// A template's text -> tokens, with the white space that its tags take away already gone. The settings are those of
// transformers: a line break after a block tag goes (trim_blocks), and so does white space between the beginning of a line and a
// block tag (lstrip_blocks).

import { TemplateError } from "./template-error.ts";

export interface Token {
  readonly kind:
    "data" | "output" | "outputEnd" | "block" | "blockEnd" | "name" | "string" | "int" | "float" | "operator" | "end";
  /** Of a string its value, of data what is printed, else as it is written. */
  readonly text: string;
  /** 1 is the first line. */
  readonly line: number;
}

/** Python's white space as the inside of a character class. JavaScript's lacks U+001C to U+001F and U+0085 and has U+FEFF. */
export const SPACE = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const S = `[${SPACE}]*`;
const RAW_OR_TAG = new RegExp(`\\{%([-+]?)${S}raw${S}(?:-%\\}${S}|%\\})|(\\{\\{|\\{%|\\{#)([-+]?)`, "g");
const COMMENT_END = new RegExp(`\\+#\\}|-#\\}${S}|#\\}\\n?`, "g");
const RAW_END = new RegExp(`\\{%([-+]?)${S}endraw${S}(?:\\+%\\}|-%\\}${S}|%\\}\\n?)`, "g");
const BLOCK_END = new RegExp(`\\+%\\}|-%\\}${S}|%\\}\\n?`, "y");
const OUTPUT_END = new RegExp(`-\\}\\}${S}|\\}\\}`, "y");
const TRAILING_SPACE = new RegExp(`[${SPACE}]+$`);
const ONLY_SPACE = new RegExp(`^[${SPACE}]+$`);

const WORD = "[\\p{L}\\p{N}_\\p{Mn}\\p{Mc}\\p{Pc}\\u00b7\\u0387]+";
/** What stands inside of tags; the first that matches counts. */
const PARTS: readonly (readonly [kind: Token["kind"] | "space", pattern: RegExp])[] = [
  ["space", new RegExp(`[${SPACE}]+`, "y")],
  ["float", /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ["int", /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ["name", new RegExp(WORD, "uy")],
  ["string", /'[^'\\]*(?:\\[^][^'\\]*)*'|"[^"\\]*(?:\\[^][^"\\]*)*"/y],
  ["operator", /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y],
];
const CLOSERS: Readonly<Record<string, string>> = { "{": "}", "(": ")", "[": "]" };

/** Splits a template; throws {@link TemplateError} with the line where it is wrong. */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  const tokens: Token[] = [];
  let position = 0;
  let counted = 0;
  let line = 1;
  // Whether what was read last ends a line.
  let isLineStart = true;

  const lineAt = (index: number): number => {
    for (; counted < index; counted++) if (source[counted] === "\n") line++;
    return line;
  };
  const fail = (message: string, index: number): never => {
    throw new TemplateError(message, { line: lineAt(index) });
  };
  const add = (kind: Token["kind"], text: string, index: number): void => {
    tokens.push({ kind, text, line: lineAt(index) });
  };
  const advance = (end: number): void => {
    if (end > position) isLineStart = source[end - 1] === "\n";
    position = end;
  };
  /** The text before a tag, less what the tag's sign and lstrip_blocks take away. */
  const addData = (end: number, sign: string, isOutput = false): void => {
    let text = source.slice(position, end);
    if (sign === "-") text = text.replace(TRAILING_SPACE, "");
    else if (sign !== "+" && !isOutput) {
      const begin = text.lastIndexOf("\n") + 1;
      if ((begin > 0 || isLineStart) && ONLY_SPACE.test(text.slice(begin))) text = text.slice(0, begin);
    }
    if (text !== "") add("data", text, position);
  };
  const find = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    return pattern.exec(source);
  };

  while (position < source.length) {
    const tag = find(RAW_OR_TAG);
    if (tag === null) {
      add("data", source.slice(position), position);
      break;
    }
    const [all, rawSign, opening, sign = ""] = tag;
    addData(tag.index, rawSign ?? sign, opening === "{{");
    advance(tag.index + all.length);
    if (opening === undefined) {
      const end = find(RAW_END) ?? fail('"{% raw %}" has no "{% endraw %}"', tag.index);
      addData(end.index, end[1] ?? "");
      advance(end.index + end[0].length);
    } else if (opening === "{#") {
      const end = find(COMMENT_END) ?? fail('a comment has no "#}"', tag.index);
      advance(end.index + end[0].length);
    } else {
      add(opening === "{{" ? "output" : "block", opening, tag.index);
      readTag(opening === "{{" ? OUTPUT_END : BLOCK_END, opening === "{{" ? "outputEnd" : "blockEnd");
    }
  }
  tokens.push({ kind: "end", text: "", line: lineAt(source.length) });
  return tokens;

  function readPart(): readonly [kind: Token["kind"] | "space", text: string | undefined] {
    for (const [kind, pattern] of PARTS) {
      const text = find(pattern)?.[0];
      if (text !== undefined) return [kind, text];
    }
    return ["end", undefined];
  }

  function readTag(ending: RegExp, endKind: Token["kind"]): void {
    const open: string[] = [];
    while (position < source.length) {
      const end = open.length === 0 ? find(ending) : null;
      if (end !== null) {
        add(endKind, end[0], position);
        return advance(position + end[0].length);
      }
      const [kind, text] = readPart();
      if (text === undefined) {
        const character = String.fromCodePoint(source.codePointAt(position) ?? 0);
        return fail(`${JSON.stringify(character)} is not expected`, position);
      }
      if (kind === "operator") {
        const closer = CLOSERS[text];
        if (closer !== undefined) open.push(closer);
        else if ("})]".includes(text)) {
          const wanted = open.pop();
          if (wanted === undefined) fail(`"${text}" closes nothing`, position);
          if (wanted !== text) fail(`"${text}" stands where "${wanted}" is needed`, position);
        }
      } else if (kind === "name" && !/^[\p{L}\p{Nl}_]/u.test(text)) {
        fail(`${JSON.stringify(text)} is not a name`, position);
      }
      if (kind === "string")
        add(
          kind,
          unescape(text.slice(1, -1), (message) => fail(message, position)),
          position,
        );
      else if (kind !== "space") add(kind, text, position);
      advance(position + text.length);
    }
  }
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\n": "", "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v",
}; // prettier-ignore

/** Python's "unicode-escape" decoding of a string's inside. */
function unescape(text: string, fail: (message: string) => never): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{1,3}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[^])/gu, (all, code: string) => {
    const short = SHORT_ESCAPES[code];
    if (short !== undefined) return short;
    if (/^[0-7]/.test(code)) return String.fromCharCode(parseInt(code, 8));
    if (code.length > 1 && /^[xuU]/.test(code)) {
      const point = parseInt(code.slice(1), 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : fail(`\\${code} is no character`);
    }
    if ("xuU".includes(code)) return fail(`"\\${code}" is not followed by enough hexadecimal digits`);
    if (code === "N") return fail('characters by name ("\\N{...}") are not supported');
    const point = code.codePointAt(0) ?? 0;
    if (point < 0x80) return all;
    // Jinja writes characters beyond ASCII as escapes first, which the backslash then takes apart.
    const hex = point.toString(16);
    return `\\${point < 0x100 ? "x" : point < 0x10000 ? "u" : "U"}${hex.padStart(point < 0x100 ? 2 : point < 0x10000 ? 4 : 8, "0")}`;
  });
}
