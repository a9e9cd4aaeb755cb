// The filters of Jinja that are made for web pages, and the one that breaks lines.

import { takeArguments } from "./arguments.ts";
import { SPACE } from "./lexer.ts";
import { spendCharacters, spendText } from "./limits.ts";
import { escaped, escapeHtml } from "./operators.ts";
import { print } from "./printing.ts";
import { splitLines, strip } from "./string-methods.ts";
import { fail, refuse } from "./template-error.ts";
import { wholeNumber } from "./text-filters.ts";
import {
  Dict,
  isTrue,
  iterate,
  Markup,
  textLength,
  textOf,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from "./values.ts";

type Filter = (args: Arguments) => Value;

function quoteUrl(value: Value, isQuery: boolean): string {
  const text = print(value);
  if (!text.isWellFormed()) fail('"urlencode" needs a text without lone surrogates');
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return isQuery ? encoded.replaceAll("%20", "+") : encoded.replaceAll("%2F", "/");
}

function urlEncode(value: Value): string {
  const isSingle = textOf(value) !== undefined || value === null || ["bool", "int", "float"].includes(typeName(value));
  if (isSingle) return quoteUrl(value, false);
  const pairs = value instanceof Dict ? [...value.entries()] : [...iterate(value)].map((pair) => [...iterate(pair)]);
  return pairs
    .map((pair) => {
      const [key, item] = pair;
      if (pair.length !== 2 || key === undefined || item === undefined) return fail('"urlencode" needs pairs');
      return `${quoteUrl(key, true)}=${quoteUrl(item, true)}`;
    })
    .join("&");
}

function xmlAttributes(value: Value, hasSpace: boolean): string {
  if (!(value instanceof Dict)) fail(`"xmlattr" needs a mapping, not a ${typeName(value)}`);
  const parts: string[] = [];
  for (const [key, item] of value.entries()) {
    if (item === null || item instanceof Undefined) continue;
    const name = textOf(key) ?? fail('"xmlattr" needs texts as keys');
    if (/[ \t\n\r\f\v/>=]/.test(name))
      fail(`"xmlattr" is given ${JSON.stringify(name)}, which is no name of an attribute`);
    parts.push(`${escaped(key)}="${escaped(item)}"`);
  }
  return (hasSpace && parts.length > 0 ? " " : "") + parts.join(" ");
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\xa0", copy: "\xa9", reg: "\xae", laquo: "\xab", raquo: "\xbb",
  hellip: "\u2026", ndash: "\u2013", mdash: "\u2014", lsquo: "\u2018", rsquo: "\u2019", ldquo: "\u201c", rdquo: "\u201d",
  middot: "\xb7", bull: "\u2022", euro: "\u20ac", times: "\xd7", trade: "\u2122",
}; // prettier-ignore

function stripTags(source: string): string {
  let text = "";
  let position = 0;
  for (let start = source.indexOf("<"); start >= 0; start = source.indexOf("<", position)) {
    const isComment = source.startsWith("<!--", start);
    const end = isComment ? source.indexOf("-->", start + 4) : source.indexOf(">", start);
    if (end < 0) break;
    text += source.slice(position, start);
    position = end + (isComment ? 3 : 1);
  }
  text += source.slice(position);
  const words = strip(text, undefined).split(new RegExp(`[${SPACE}]+`));
  return words.join(" ").replace(/&(#\d+;?|#[xX][\da-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g, (all, name: string) => {
    if (name.startsWith("#")) {
      const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
      const isPlain =
        (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0xd800) || (code > 0xdfff && code < 0xfdd0);
      return isPlain ? String.fromCharCode(code) : refuse(`the character reference "${all}"`);
    }
    const known = name.endsWith(";") ? ENTITIES[name.slice(0, -1)] : undefined;
    return known ?? (/^[a-zA-Z]/.test(name) ? refuse(`the character reference "${all}"`) : all);
  });
}

const LETTER = "[\\p{L}\\p{Nl}\\p{No}_]";
const WORD = "[\\p{L}\\p{N}_]";
const PUNCTUATION = "[\\p{L}\\p{N}_!\"'&.,?]";
const BLANK = "[\\t\\n\\v\\f\\r ]";
/** Where words may be parted: at white space, at dashes between words, after hyphens inside of words. */
const WORD_PARTS = new RegExp(
  `(${BLANK}+|(?<=${PUNCTUATION})-{2,}(?=${WORD})|[^\\t\\n\\v\\f\\r ]+?(?:-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${LETTER}-))(?=${LETTER}-?${LETTER})|(?=${BLANK}|$)|(?<=${PUNCTUATION})(?=-{2,}${WORD})))`,
  "u",
);
const BLANKS = new RegExp(`(${BLANK}+)`);

interface Wrapping {
  readonly width: number;
  readonly breaksWords: boolean;
  readonly breaksHyphens: boolean;
}

const isBlank = (chunk: string | undefined): boolean => chunk !== undefined && strip(chunk, undefined) === "";

/** Python's `textwrap.wrap` of a line. */
function wrapLine(line: string, { width, breaksWords, breaksHyphens }: Wrapping): string[] {
  const chunks = line.split(breaksHyphens ? WORD_PARTS : BLANKS).filter((chunk) => chunk !== "" && chunk !== undefined);
  chunks.reverse();
  const lines: string[] = [];
  while (chunks.length > 0) {
    const current: string[] = [];
    let length = 0;
    if (lines.length > 0 && isBlank(chunks.at(-1))) chunks.pop();
    while (chunks.length > 0 && length + textLength(chunks.at(-1)!) <= width) {
      const chunk = chunks.pop()!;
      current.push(chunk);
      length += textLength(chunk);
    }
    const next = chunks.at(-1);
    if (next !== undefined && textLength(next) > width) {
      if (breaksWords) {
        const all = [...next];
        let end = width - length;
        if (breaksHyphens && all.length > end) {
          const hyphen = all.slice(0, end).lastIndexOf("-");
          if (hyphen > 0 && all.slice(0, hyphen).some((one) => one !== "-")) end = hyphen + 1;
        }
        current.push(all.slice(0, end).join(""));
        chunks[chunks.length - 1] = all.slice(end).join("");
        spendText(all.length);
      } else if (current.length === 0) current.push(chunks.pop()!);
    }
    if (isBlank(current.at(-1))) current.pop();
    if (current.length > 0) lines.push(current.join(""));
  }
  return lines;
}

const HTTP = new RegExp(
  `^(?:(?:https?://|www\\.)(?:(?:[\\p{L}\\p{N}_%-]+\\.)+)?(?:[a-z]{2,63}|xn--[\\p{L}\\p{N}_%]{2,59})|(?:[\\p{L}\\p{N}_%-]{2,63}\\.)+(?:com|net|int|edu|gov|org|info|mil)|https?://(?:\\p{Nd}{1,3}(?:\\.\\p{Nd}{1,3}){3}|\\[(?:[\\p{Nd}a-f]{0,4}:){2}(?:[\\p{Nd}a-f]{0,4}:?){1,6}\\]))(?::\\p{Nd}{1,5})?(?:[/?#][^${SPACE}]*)?\\n?$`,
  "iu",
);
const EMAIL = new RegExp(`^[^${SPACE}]+@[\\p{L}\\p{N}_][\\p{L}\\p{N}_.-]*\\.[\\p{L}\\p{N}_]+\\n?$`, "u");
const PAIRS = [["(", ")"], ["<", ">"], ["&lt;", "&gt;"]] as const; // prettier-ignore
/** Longer words are no addresses; the patterns above take long on them. */
const MAX_ADDRESS = 2048;

function urlize(args: Arguments): string {
  const [value, limit = null, nofollow = false, target = null, rel = null, schemes = null] = takeArguments(
    "urlize",
    args,
    "value trim_url_limit? nofollow? target? rel? extra_schemes?",
  );
  const most = limit === null ? undefined : wholeNumber(limit, "urlize");
  const rels = new Set(
    strip(rel === null ? "" : print(rel), undefined)
      .split(/ +/)
      .filter((one) => one !== ""),
  );
  if (isTrue(nofollow)) rels.add("nofollow");
  rels.add("noopener");
  const attributes =
    ` rel="${escapeHtml([...rels].sort().join(" "))}"` +
    (target !== null && isTrue(target) ? ` target="${escaped(target)}"` : "");
  const extra = schemes === null ? [] : [...iterate(schemes)].map(print);
  for (const scheme of extra) {
    if (!/^[\p{L}\p{N}_.+-]{2,}:\/{0,2}$/u.test(scheme))
      fail(`"urlize" is given ${JSON.stringify(scheme)}, which is no scheme`);
  }
  const text = escaped(value!);
  spendCharacters(text.length);
  const shorten = (address: string): string =>
    most !== undefined && textLength(address) > most ? `${[...address].slice(0, most).join("")}...` : address;
  const link = (href: string, shown: string): string => `<a href="${href}"${attributes}>${shown}</a>`;

  const linked = (word: string): string => {
    const [head = ""] = /^(?:[(<]|&lt;)+/.exec(word) ?? [];
    let middle = word.slice(head.length);
    const [found = ""] = /[)>.,\n]$|&gt;$/.test(middle) ? (/(?:[)>.,\n]|&gt;)+$/.exec(middle) ?? []) : [];
    middle = middle.slice(0, middle.length - found.length);
    let tail = found;
    for (const [open, close] of PAIRS) {
      const opened = middle.split(open).length - 1;
      if (opened <= middle.split(close).length - 1) continue;
      for (let left = Math.min(opened, tail.split(close).length - 1); left > 0; left--) {
        const end = tail.indexOf(close) + close.length;
        middle += tail.slice(0, end);
        tail = tail.slice(end);
      }
    }
    if (middle.length > MAX_ADDRESS) {
      if (/[.@]/.test(middle)) refuse(`"urlize" of a word of more than ${MAX_ADDRESS} characters`);
    } else if (HTTP.test(middle)) {
      middle = link(/^https?:\/\//.test(middle) ? middle : `https://${middle}`, shorten(middle));
    } else if (middle.startsWith("mailto:") && EMAIL.test(middle.slice(7))) {
      middle = `<a href="${middle}">${middle.slice(7)}</a>`;
    } else if (/^(?!www\.|@)[^:]*@[^:]*$/.test(middle) && EMAIL.test(middle)) {
      middle = `<a href="mailto:${middle}">${middle}</a>`;
    } else {
      for (const scheme of extra) {
        if (middle !== scheme && middle.startsWith(scheme)) middle = link(middle, middle);
      }
    }
    return head + middle + tail;
  };
  return text
    .split(new RegExp(`([${SPACE}]+)`))
    .map(linked)
    .join("");
}

const escapeFilter: Filter = (args) => new Markup(escaped(takeArguments("escape", args, "s /")[0]!));

export const HTML_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["e", escapeFilter],
  ["escape", escapeFilter],
  ["forceescape", (args) => new Markup(escapeHtml(print(takeArguments("forceescape", args, "value")[0]!)))],
  ["safe", (args) => new Markup(print(takeArguments("safe", args, "value")[0]!))],
  ["striptags", (args) => stripTags(print(takeArguments("striptags", args, "value")[0]!))],
  ["urlencode", (args) => urlEncode(takeArguments("urlencode", args, "value")[0]!)],
  ["urlize", urlize],
  [
    "xmlattr",
    (args) => {
      const [value, hasSpace = true] = takeArguments("xmlattr", args, "d autospace?");
      return xmlAttributes(value!, isTrue(hasSpace));
    },
  ],
  [
    "wordwrap",
    (args) => {
      const [value, size = 79n, words = true, mark = null, hyphens = true] = takeArguments(
        "wordwrap",
        args,
        "s width? break_long_words? wrapstring? break_on_hyphens?",
      );
      const text = textOf(value!) ?? fail(`"wordwrap" needs a text, not a ${typeName(value!)}`);
      spendCharacters(text.length);
      const width = wholeNumber(size, "wordwrap");
      const lines = splitLines(text);
      if (width <= 0 && lines.length > 0) fail('"wordwrap" needs a width of at least 1');
      const by = mark === null ? "\n" : (textOf(mark) ?? fail('"wordwrap" needs a text between lines'));
      const wrapping = { width, breaksWords: isTrue(words), breaksHyphens: hyphens === true };
      return lines.map((line) => wrapLine(line, wrapping).join(by)).join(by);
    },
  ],
]);
