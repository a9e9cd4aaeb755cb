// Classes of tokens in code, and the attention that each receives relative to its share of the positions. Anchor attention assumes
// that line breaks receive more than their share (AnchorCoder, arXiv 2411.06680). A token is classified by its own text alone, so that
// its class does not depend on where it stands: a word inside a string or a comment counts as that word.

import { checkOptions, wholeNumbers } from "../options.ts";
import { forEachRow, ROW_OPTIONS, type AttentionPattern, type RowOptions } from "./pattern.ts";

/** The classes, in the order in which they are tried. */
export const TOKEN_CLASSES = [
  /** the sequence's first token, whatever it is: the usual sink */
  "first-token",
  /** contains a line break */
  "line-break",
  /** nothing but spaces and tabs */
  "indentation",
  "number",
  "keyword",
  /** a name, or a part of one */
  "identifier",
  /** contains a quotation mark: the edge of a string */
  "string",
  /** operators, brackets and other signs */
  "punctuation",
  /** control tokens, parts of characters, and mixtures */
  "other",
] as const;

/** One of {@link TOKEN_CLASSES}. */
export type TokenClass = (typeof TOKEN_CLASSES)[number];

const KEYWORDS = new Set(
  `abstract and as assert async await bool boolean break byte case catch char class const constexpr continue def default
  defer del delete do double elif else enum except export extends extern false False final finally float fn for from func
  function global go goto if impl implements import in inline instanceof int interface is lambda let long loop match mod mut
  namespace new nil None nonlocal not null nullptr of or override package pass private protected pub public raise readonly
  return short signed sizeof static struct super switch template this throw throws trait true True try
  type typedef typename typeof undefined union unsafe unsigned use using var virtual void volatile where while with yield`.split(
    /\s+/,
  ),
);

/** The class of a token, from its text (a space before it is part of it and does not count) and whether it comes first. */
export function tokenClass(text: string, isFirst = false): TokenClass {
  if (isFirst) return "first-token";
  if (/[\n\r]/.test(text)) return "line-break";
  if (/^\s+$/.test(text)) return "indentation";
  const word = text.trim();
  if (/^<[|\w/:-]*\w[|\w/:-]*>$/.test(word)) return "other"; // <s>, </s>, <|im_end|>, <0x0A>
  if (/^\.?\d[\w.]*$/.test(word)) return "number";
  if (KEYWORDS.has(word)) return "keyword";
  if (/^[@#]?[\p{L}\p{M}\p{N}_$]+$/u.test(word)) return "identifier";
  if (/["'`]/.test(word)) return "string";
  if (/^[\p{P}\p{S}]+$/u.test(word) && !word.includes("\ufffd")) return "punctuation";
  return "other";
}

/** The classes [tokens] of a sequence's tokens, from their texts. */
export function tokenClasses(texts: readonly string[]): TokenClass[] {
  return texts.map((text, position) => tokenClass(text, position === 0));
}

/** The share of one class of keys. */
export interface ClassShare {
  /** its share of a row's attention, mean over the rows */
  readonly mass: number;
  /** its share of the keys that a row may see, mean over the same rows */
  readonly positions: number;
  /** mass / positions: above 1 for a class that draws more than its part; NaN where it has none */
  readonly ratio: number;
}

/** The share of attention and the share of positions of each class. */
export type ClassShares = Readonly<Record<TokenClass, ClassShare>>;

/** {@link ClassShares} of a layer's heads, and of all its heads together. Null where no row qualifies. */
export interface LayerClassShares {
  readonly heads: readonly (ClassShares | null)[];
  readonly all: ClassShares | null;
}

/**
 * Attention by class of key, against the classes' shares of the positions. `classes` [keys] are those of the pattern's
 * columns. All rows that see a key count unless `minKeys` says more. Throws a RangeError for classes of another count.
 */
export function massByClass(
  pattern: AttentionPattern,
  classes: readonly TokenClass[],
  options: RowOptions = {},
): LayerClassShares {
  checkOptions("massByClass", options, ROW_OPTIONS);
  wholeNumbers("massByClass", { minKeys: options.minKeys }, 0);
  const [heads = 0, , keys = 0] = pattern.shape;
  if (classes.length !== keys) {
    throw new RangeError(`the pattern has ${keys} keys; the classes of ${classes.length} were given`);
  }
  const kinds = TOKEN_CLASSES.length;
  const kindOf = classes.map((name) => TOKEN_CLASSES.indexOf(name));
  const mass = new Float64Array(heads * kinds);
  const positions = new Float64Array(heads * kinds);
  const rows = new Float64Array(heads);
  forEachRow(pattern, options, ({ head, weights, columns, total }) => {
    for (let i = 0; i < weights.length; i++) {
      const at = head * kinds + kindOf[columns[i]!]!;
      mass[at]! += weights[i]! / total;
      positions[at]! += 1 / weights.length;
    }
    rows[head]!++;
  });
  const sharesOf = (chosen: readonly number[]): ClassShares | null => {
    const count = chosen.reduce((sum, head) => sum + rows[head]!, 0);
    if (count === 0) return null;
    const mean = (sums: Float64Array, kind: number) =>
      chosen.reduce((sum, head) => sum + sums[head * kinds + kind]!, 0) / count;
    const shares = TOKEN_CLASSES.map((name, kind): [TokenClass, ClassShare] => {
      const [massMean, positionMean] = [mean(mass, kind), mean(positions, kind)];
      return [name, { mass: massMean, positions: positionMean, ratio: massMean / positionMean }];
    });
    return Object.fromEntries(shares) as Record<TokenClass, ClassShare>;
  };
  const everyHead = Array.from({ length: heads }, (_, head) => head);
  return { heads: everyHead.map((head) => sharesOf([head])), all: sharesOf(everyHead) };
}
