// Chooses anchors, and finds the segments that they divide a sequence into. A segment ends with its anchor, which belongs to it
// (AnchorCoder, arXiv 2411.06680; AnLLM, arXiv 2402.07616). Segments are counted from 0; the mark of a token is
// 2 · segment + isAnchor, the number that the attention kernels' visibility rule reads.

/** Tells whether a token at a position of its sequence is an anchor. It must return the same answer each time. */
export type LineAnchorChooser = (token: number, position: number) => boolean;

/** The part of a tokenizer that gives the texts of its tokens. */
export interface TokenTexts {
  readonly vocabSize: number;
  /** the bytes that a token stands for; none for an id that the vocabulary does not have */
  tokenBytes(id: number): Uint8Array;
}

/** The place of the next token of a sequence: its position and its segment. */
export interface SequencePlace {
  readonly position: number;
  readonly segment: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Anchors are the tokens with these ids, as a model's `anchor_attention` block lists them. */
export function anchorsWithIds(ids: Iterable<number>): LineAnchorChooser {
  const anchors = new Set(ids);
  return (token) => anchors.has(token);
}

/**
 * The ids, ascending, of all tokens whose text contains a line break (line feed or carriage return), from the bytes of the
 * tokens: right for byte-level, sentencepiece and byte-fallback vocabularies alike.
 */
export function lineBreakTokenIds(tokenizer: TokenTexts): number[] {
  const ids: number[] = [];
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const bytes = tokenizer.tokenBytes(id);
    if (bytes.includes(LINE_FEED) || bytes.includes(CARRIAGE_RETURN)) ids.push(id);
  }
  return ids;
}

/**
 * Anchors are the tokens whose text contains a line break: the choice for code. Throws a RangeError if the vocabulary has no
 * such token, for then nothing would ever be an anchor.
 */
export function anchorsAtLineBreaks(tokenizer: TokenTexts): LineAnchorChooser {
  const ids = lineBreakTokenIds(tokenizer);
  if (ids.length === 0) {
    throw new RangeError(`0 of the vocabulary's ${tokenizer.vocabSize} tokens contain a line break; at least 1 must`);
  }
  return anchorsWithIds(ids);
}

/** Every n-th token is an anchor: those at positions n-1, 2n-1, ... Throws a RangeError unless n is a whole number >= 1. */
export function anchorsEvery(n: number): LineAnchorChooser {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new RangeError(`anchors every n tokens need a whole n of at least 1; it is ${n}`);
  }
  return (_token, position) => (position + 1) % n === 0;
}

/**
 * Anchors are the tokens that the predicate holds for, given id, text and position. A token that is a part of a character
 * has U+FFFD for its text. Texts are decoded once each.
 */
export function anchorsWhere(
  tokenizer: TokenTexts,
  predicate: (token: number, text: string, position: number) => boolean,
): LineAnchorChooser {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = new Map<number, string>();
  return (token, position) => {
    let text = texts.get(token);
    if (text === undefined) texts.set(token, (text = utf8.decode(tokenizer.tokenBytes(token))));
    return predicate(token, text, position);
  };
}

/** The number of the segment that follows a token with this mark. */
export function segmentAfter(mark: number): number {
  return (mark >> 1) + (mark & 1);
}

/** The marks [tokens] of tokens that go on from a place, by default from a sequence's beginning. */
export function marksOf(
  tokens: ArrayLike<number>,
  isAnchor: LineAnchorChooser,
  from: SequencePlace = { position: 0, segment: 0 },
): Uint32Array {
  const marks = new Uint32Array(tokens.length);
  let { segment } = from;
  for (let i = 0; i < tokens.length; i++) {
    const mark = 2 * segment + Number(isAnchor(tokens[i]!, from.position + i));
    marks[i] = mark;
    segment = segmentAfter(mark);
  }
  return marks;
}
