// Tokens -> text, one by one as they come: the `decoder` of tokenizer.json as a chain of steps. A step takes tokens and gives
// tokens; what it cannot know yet, such as whether a token is the last, it holds back.
//
// Behind a step that joins all tokens (Fuse, ByteLevel) there is one token, which comes in parts: steps that follow see parts.

import { bytesOfCharacters } from "./byte-level.ts";
import { nothing, onEach, onWhole, type Run, type DecoderStep } from "./decoder-step.ts";
import {
  asPart,
  booleanField,
  characterField,
  countField,
  listField,
  textField,
  unknownKind,
  wrongField,
  type Part,
} from "./fields.ts";
import { readReplaced } from "./normalizers.ts";
import { allMatches } from "./pattern.ts";

/** A decoder, worked out. */
export interface Decoder {
  /** Begins a stream of tokens. */
  start(): Run;
  /** The bytes that a token stands for in the middle of a text, seen by itself. */
  bytesOf(token: string): Uint8Array;
}

const WHERE = "decoder";
const KINDS = "BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece";

/** Reads a decoder; without one, tokens stand apart by spaces. Throws {@link FormatError} and {@link UnsupportedError}. */
export function readDecoder(json: unknown): Decoder {
  const steps = json === undefined || json === null ? [SPACED] : readSteps(json);
  const utf8 = new TextEncoder();
  return {
    start() {
      let isJoined = false;
      const runs = steps.map((step) => {
        const run = step.start(isJoined);
        isJoined ||= step.joins ?? false;
        return run;
      });
      return chain(runs);
    },
    bytesOf(token) {
      let text = token;
      for (const step of steps) {
        const bytes = step.bytes?.(text);
        if (bytes) return bytes;
        // What follows changes the whole text, at its edges.
        if (step.joins) break;
        text = step.text?.(text) ?? text;
      }
      return utf8.encode(text);
    },
  };
}

function chain(runs: readonly Run[]): Run {
  /** From the run at an index on. */
  const pass = (texts: readonly string[], from: number): string =>
    from === runs.length ? texts.join("") : texts.map((text) => pass(runs[from]!.push(text), from + 1)).join("");
  return {
    push: (text) => [pass([text], 0)],
    end: () => [runs.map((run, i) => pass(run.end(), i + 1)).join("")],
  };
}

function readSteps(json: unknown): DecoderStep[] {
  const part = asPart(WHERE, json);
  switch (part["type"]) {
    case "Sequence":
      return listField(WHERE, part, "decoders").flatMap(readSteps);
    case "ByteLevel":
      return [BYTE_LEVEL];
    case "ByteFallback":
      return [BYTE_FALLBACK];
    case "Fuse":
      return [{ joins: true, start: () => ({ push: (text) => [text], end: nothing }) }];
    case "Replace":
      return [readReplace(part)];
    case "Strip":
      return [readStrip(part)];
    case "Metaspace":
      return [readMetaspace(part)];
    case "WordPiece":
      return [readWordPiece(part)];
    case "BPEDecoder":
      return [readBpe(part)];
    case "CTC":
      return [readCtc(part)];
    default:
      throw unknownKind(WHERE, part["type"], KINDS.split(", "));
  }
}

/** Without a decoder tokens are joined by spaces. */
const SPACED: DecoderStep = {
  start() {
    let isFirst = true;
    return {
      push(text) {
        const made = isFirst ? text : ` ${text}`;
        isFirst = false;
        return [made];
      },
      end: nothing,
    };
  },
};

/** Characters that stand for bytes; a token with any other is its own UTF-8. What is not UTF-8 becomes U+FFFD. */
const BYTE_LEVEL: DecoderStep = {
  joins: true,
  bytes: (token) => bytesOfCharacters(token),
  start(isJoined) {
    const utf8 = new TextEncoder();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const bytesOf = (token: string): Uint8Array => bytesOfCharacters(token) ?? utf8.encode(token);
    if (isJoined) return onWhole((whole) => decoder.decode(bytesOf(whole)));
    return {
      push: (token) => [decoder.decode(bytesOf(token), { stream: true })],
      end: () => [decoder.decode()],
    };
  },
};

/** The byte of a token such as <0x0A>. */
function byteOf(token: string): number | undefined {
  // As the Rust library reads numbers: "+A" is one.
  const digits = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(token)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** Tokens of single bytes; a run of them that is not UTF-8 as a whole becomes one U+FFFD for each byte. */
const BYTE_FALLBACK: DecoderStep = {
  bytes(token) {
    const byte = byteOf(token);
    return byte === undefined ? undefined : Uint8Array.of(byte);
  },
  start(isJoined) {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let bytes: number[] = [];
    const flush = (): string[] => {
      if (bytes.length === 0) return [];
      const run = Uint8Array.from(bytes);
      bytes = [];
      try {
        return [strict.decode(run)];
      } catch {
        return Array.from(run, () => "\ufffd");
      }
    };
    const push = (token: string): readonly string[] => {
      const byte = byteOf(token);
      if (byte === undefined) return [...flush(), token];
      bytes.push(byte);
      return [];
    };
    if (isJoined) return onWhole((whole) => [...push(whole), ...flush()].join(""));
    return { push, end: flush };
  },
};

function readReplace(part: Part): DecoderStep {
  const pattern = readReplaced(WHERE, part);
  const content = textField(WHERE, part, "content");
  const change = (token: string): string => {
    if (token === "") return "";
    const spans = allMatches(pattern, token);
    let made = "";
    let last = 0;
    for (let i = 0; i < spans.length; i += 2) {
      made += token.slice(last, spans[i]) + content;
      last = spans[i + 1]!;
    }
    return made + token.slice(last);
  };
  const wanted = asPart(WHERE, part["pattern"])["String"];
  return {
    text: change,
    start(isJoined) {
      // One character cannot lie across two parts.
      return isJoined && !(typeof wanted === "string" && wanted.length === 1) ? onWhole(change) : onEach(change);
    },
  };
}

function readStrip(part: Part): DecoderStep {
  const content = characterField(WHERE, part, "content");
  const start = countField(WHERE, part, "start");
  const stop = countField(WHERE, part, "stop");
  const strip = (token: string): string => {
    let from = 0;
    let to = token.length;
    for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
    for (let i = 0; i < stop && to > from && token.slice(from, to).endsWith(content); i++) to -= content.length;
    return token.slice(from, to);
  };
  return {
    text: strip,
    start(isJoined) {
      if (!isJoined) return onEach(strip);
      let left = start;
      let held = "";
      return {
        push(text) {
          let rest = text;
          while (left > 0 && rest.startsWith(content)) {
            rest = rest.slice(content.length);
            left--;
          }
          if (rest === "") return [];
          left = 0;
          // What may be the end is held back.
          const all = held + rest;
          let to = all.length;
          for (let i = 0; i < stop && all.slice(0, to).endsWith(content); i++) to -= content.length;
          held = all.slice(to);
          return [all.slice(0, to)];
        },
        end() {
          left = start;
          held = "";
          return [];
        },
      };
    },
  };
}

function readMetaspace(part: Part): DecoderStep {
  const mark = characterField(WHERE, part, "replacement");
  const scheme = part["prepend_scheme"] ?? "always";
  if (scheme !== "always" && scheme !== "first" && scheme !== "never") {
    throw wrongField(WHERE, "prepend_scheme", scheme, '"always", "first" or "never"');
  }
  if (part["add_prefix_space"] === false && scheme !== "never") {
    throw wrongField(WHERE, "add_prefix_space", false, `true, as its "prepend_scheme" is "${scheme}"`);
  }
  return {
    text: (token) => token.replaceAll(mark, " "),
    start(isJoined) {
      let isFirst = scheme !== "never";
      return {
        push(text) {
          const made = text.replaceAll(mark, isFirst ? "" : " ");
          isFirst &&= isJoined;
          return [made];
        },
        end() {
          isFirst = scheme !== "never";
          return [];
        },
      };
    },
  };
}

/** English as it is written, one replacement after the other. */
function cleanUp(text: string): string {
  return text
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

function readWordPiece(part: Part): DecoderStep {
  const prefix = textField(WHERE, part, "prefix");
  const cleans = booleanField(WHERE, part, "cleanup");
  const change = (token: string, isFirst: boolean): string => {
    const made = isFirst ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return cleans ? cleanUp(made) : made;
  };
  return {
    text: (token) => change(token, false),
    start(isJoined) {
      if (isJoined) return onWhole((whole) => change(whole, true));
      let isFirst = true;
      return {
        push(token) {
          const made = change(token, isFirst);
          isFirst = false;
          return [made];
        },
        end() {
          isFirst = true;
          return [];
        },
      };
    },
  };
}

function readBpe(part: Part): DecoderStep {
  const suffix = textField(WHERE, part, "suffix");
  const replace = (token: string, by: string): string =>
    suffix === ""
      ? by === ""
        ? token
        : by + [...token].map((character) => character + by).join("")
      : token.replaceAll(suffix, by);
  return {
    text: (token) => replace(token, " "),
    start(isJoined) {
      if (isJoined) return onWhole((whole) => replace(whole, ""));
      let held: string | undefined;
      return {
        push(token) {
          const made = held === undefined ? [] : [replace(held, " ")];
          held = token;
          return made;
        },
        end() {
          const made = held === undefined ? [] : [replace(held, "")];
          held = undefined;
          return made;
        },
      };
    },
  };
}

function readCtc(part: Part): DecoderStep {
  const pad = textField(WHERE, part, "pad_token");
  const delimiter = textField(WHERE, part, "word_delimiter_token");
  const cleans = booleanField(WHERE, part, "cleanup");
  const change = (token: string): string => {
    const made = token.replaceAll(pad, "");
    return cleans ? cleanUp(made).replaceAll(delimiter, " ") : made;
  };
  return {
    text: change,
    start(isJoined) {
      if (isJoined) return onWhole(change);
      let before: string | undefined;
      return {
        push(token) {
          if (token === before) return [];
          before = token;
          const made = change(token);
          return made === "" ? [] : [made];
        },
        end() {
          before = undefined;
          return [];
        },
      };
    },
  };
}
