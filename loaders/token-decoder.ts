// Token ids -> text, one at a time. Every token stands for a run of bytes; the text is those bytes read as UTF-8, so a
// character that several tokens share appears when its last byte has come. What is not UTF-8 becomes U+FFFD, character
// by character (where Rust's ByteFallback gives up a whole run of byte tokens for one bad byte, so that none of the run
// would be certain before its end).
// Invariant: the pieces of a StreamDecoder, put together, are exactly `decode` of all ids, for `decode` is made of it.

import { UnsupportedError } from "./errors.ts";

/** What a decoder needs to know of a tokenizer. */
export interface TokenBytes {
  /** The bytes a token stands for; none for an id that the vocabulary does not have. */
  tokenBytes(id: number): Uint8Array;
  readonly specialTokenIds: ReadonlySet<number>;
  readonly edges: TextEdges;
}

/** What happens at the text's beginning and between tokens. */
export interface TextEdges {
  /** Taken off the text's beginning, so many times at most: sentencepiece's space before the first word. */
  readonly strip: string;
  readonly stripCount: number;
  /** Put between any two tokens: empty unless the tokenizer has no decoder. */
  readonly separator: string;
}

/** How ids become text. */
export interface DecodeOptions {
  /** Leave out tokens such as `<s>` and `<|im_end|>`; false by default. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** Turns token ids into text as they come. */
export class StreamDecoder {
  private readonly tokens: TokenBytes;
  private readonly skipSpecialTokens: boolean;
  private readonly utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  private stripsLeft: number;
  private isFirst = true;
  /** Text that may still turn out to be part of what is stripped; shorter than `edges.strip`. */
  private held = "";

  constructor(tokens: TokenBytes, options: DecodeOptions = {}) {
    this.tokens = tokens;
    this.skipSpecialTokens = options.skipSpecialTokens ?? false;
    this.stripsLeft = tokens.edges.strip === "" ? 0 : tokens.edges.stripCount;
  }

  /** The text that is certain now that this token has come; often a word, empty in the middle of a character. */
  push(id: number): string {
    if (this.skipSpecialTokens && this.tokens.specialTokenIds.has(id)) return "";
    const bytes = this.tokens.tokenBytes(id);
    const { separator } = this.tokens.edges;
    const before = this.isFirst || separator === "" ? "" : this.utf8.decode() + separator;
    this.isFirst = false;
    return this.strip(before + this.utf8.decode(bytes, { stream: true }));
  }

  /** What is left when no more tokens come: U+FFFD for an unfinished character. The decoder can then start anew. */
  finish(): string {
    const rest = this.strip(this.utf8.decode()) + this.held;
    this.held = "";
    this.isFirst = true;
    this.stripsLeft = this.tokens.edges.strip === "" ? 0 : this.tokens.edges.stripCount;
    return rest;
  }

  private strip(text: string): string {
    if (this.stripsLeft === 0) return text;
    const { strip } = this.tokens.edges;
    let rest = this.held + text;
    this.held = "";
    while (this.stripsLeft > 0 && rest.startsWith(strip)) {
      rest = rest.slice(strip.length);
      this.stripsLeft--;
    }
    if (this.stripsLeft > 0 && strip.startsWith(rest)) {
      this.held = rest;
      return "";
    }
    this.stripsLeft = 0;
    return rest;
  }
}

/** Text of all ids at once. */
export function decodeAll(tokens: TokenBytes, ids: Iterable<number>, options: DecodeOptions = {}): string {
  const decoder = new StreamDecoder(tokens, options);
  let text = "";
  for (const id of ids) text += decoder.push(id);
  return text + decoder.finish();
}

/** The `decoder` of tokenizer.json, worked out: token by token, and at the edges. */
export interface DecoderRules {
  /** The bytes of a token. `isAdded`: it is matched as a whole and stands for itself. */
  bytesOf(token: string, isAdded: boolean): Uint8Array;
  readonly edges: TextEdges;
}

const NO_EDGES: TextEdges = { strip: "", stripCount: 0, separator: "" };

/**
 * Works out the `decoder` of a tokenizer.json.
 *
 * Throws {@link UnsupportedError} for a kind that no byte-level or sentencepiece tokenizer uses (WordPiece, CTC, ...).
 */
export function readDecoder(file: string, decoder: unknown): DecoderRules {
  const encoder = new TextEncoder();
  const steps = flatten(file, decoder);
  let edges: TextEdges = steps.length === 0 ? { ...NO_EDGES, separator: " " } : NO_EDGES;
  const edits: ((token: string) => string)[] = [];
  let isByteLevel = false;
  let hasByteFallback = false;
  let isFused = false;
  for (const step of steps) {
    const type = step["type"];
    const { content = "" } = step;
    if (type === "ByteLevel") isByteLevel = true;
    else if (type === "ByteFallback") hasByteFallback = true;
    else if (type === "Fuse") isFused = true;
    else if (type === "Replace" && !isFused && typeof content === "string") {
      const pattern = step["pattern"];
      const found = typeof pattern === "object" && pattern !== null && "String" in pattern ? pattern.String : undefined;
      if (typeof found !== "string" || found === "") throw unknownDecoder(file, "Replace of a regular expression");
      edits.push((token) => token.replaceAll(found, content));
    } else if (type === "Strip" && typeof content === "string" && (step["stop"] ?? 0) === 0) {
      const count = Number(step["start"] ?? 0);
      if (isFused) edges = { ...edges, strip: content, stripCount: count };
      else edits.push((token) => stripStart(token, content, count));
    } else if (type === "Metaspace") {
      const replacement = typeof step["replacement"] === "string" ? step["replacement"] : "\u2581";
      edits.push((token) => token.replaceAll(replacement, " "));
      const keepsFirst = step["prepend_scheme"] === "never" || step["add_prefix_space"] === false;
      if (!keepsFirst) edges = { ...edges, strip: " ", stripCount: 1 };
    } else throw unknownDecoder(file, String(type));
  }
  if (isByteLevel && steps.length > 1) throw unknownDecoder(file, "ByteLevel together with other steps");

  return {
    edges,
    bytesOf(token, isAdded) {
      if (isByteLevel) return (isAdded ? undefined : byteLevelBytes(token)) ?? encoder.encode(token);
      const byte = hasByteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined;
      if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
      return encoder.encode(edits.reduce((text, edit) => edit(text), token));
    },
  };
}

function flatten(file: string, decoder: unknown): Record<string, unknown>[] {
  if (decoder === null || decoder === undefined) return [];
  if (typeof decoder !== "object") throw unknownDecoder(file, JSON.stringify(decoder));
  if ("type" in decoder && decoder.type === "Sequence") {
    const inner = "decoders" in decoder && Array.isArray(decoder.decoders) ? (decoder.decoders as unknown[]) : [];
    return inner.flatMap((step) => flatten(file, step));
  }
  return [decoder as Record<string, unknown>];
}

function unknownDecoder(file: string, what: string): UnsupportedError {
  return new UnsupportedError(
    `${file}: its decoder has ${what}; supported are ByteLevel, and Replace, ByteFallback, Fuse, Strip and Metaspace in sequence`,
  );
}

function stripStart(token: string, content: string, count: number): string {
  if (content === "") return token;
  let at = 0;
  for (let strips = 0; strips < count && token.startsWith(content, at); strips++) at += content.length;
  return token.slice(at);
}

/**
 * The characters by which byte-level BPE writes bytes (from GPT-2): printable Latin-1 stands for itself, the other bytes
 * follow from U+0100 on in order.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const bytes = new Map<string, number>();
  let others = 0;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes.set(String.fromCharCode(isPrintable ? byte : 256 + others++), byte);
  }
  return bytes;
})();

/** The bytes that a byte-level token writes, or undefined if it has a character outside that alphabet. */
function byteLevelBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(token[i] ?? "");
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
