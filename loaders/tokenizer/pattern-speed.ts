// Which patterns JavaScript's own engine may run: those whose time is known to grow linearly with the text. The engine backtracks and
// cannot be stopped, so all other patterns go to pattern-matcher.ts.

import type { PatternNode } from "./pattern-syntax.ts";

/**
 * Splits of published tokenizers, each measured on long runs of every kind of character: where an alternative fails at the end of a
 * run, a later one takes the run. They are GPT-2's, cl100k's and its variants (Llama 3, Qwen 2, Phi), and o200k's.
 */
const PUBLISHED: ReadonlySet<string> = new Set([
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  String.raw`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  ...["", "{1,3}", "{1,2}"].flatMap((digits) =>
    [
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
      "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
      "'(?i:[sdmt]|ll|ve|re)",
    ].map(
      (contractions) =>
        String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ),
  ),
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
]);

/** Most ways to match a part that has an end. */
const MAX_WAYS = 1000;
/** Most characters of one. */
const MAX_LENGTH = 64;

/**
 * True for a published split, and for a pattern whose alternatives cannot fail once they have begun to repeat without end: what
 * comes before matches in few ways, and what comes after may be left out. False says only that it is not sure.
 */
export function isSurelyFast(pattern: string, node: PatternNode): boolean {
  return PUBLISHED.has(pattern) || alternativesOf(node).every(isFastAlternative);
}

function alternativesOf(node: PatternNode): readonly PatternNode[] {
  if (node.kind === "group") return alternativesOf(node.node);
  return node.kind === "either" ? node.nodes.flatMap(alternativesOf) : [node];
}

function isFastAlternative(node: PatternNode): boolean {
  const nodes = node.kind === "sequence" ? node.nodes : [node];
  let ways = 1;
  let isEndless = false;
  for (const one of nodes) {
    if (one.kind === "repeat" && (one.node.kind === "set" || one.node.kind === "character") && one.max > MAX_LENGTH) {
      if (isEndless && one.min > 0) return false;
      if (one.min > MAX_LENGTH) return false;
      isEndless = true;
      continue;
    }
    const bounded = boundsOf(one);
    if (!bounded || (isEndless && !bounded.mayBeEmpty)) return false;
    if (!isEndless && (ways *= bounded.ways) > MAX_WAYS) return false;
  }
  return true;
}

interface Bounds {
  /** in how many ways it can match, at most */
  readonly ways: number;
  readonly length: number;
  /** it cannot fail: it matches nothing where it matches nothing else */
  readonly mayBeEmpty: boolean;
}

/** What is known of a part that has an end; undefined for others. */
function boundsOf(node: PatternNode): Bounds | undefined {
  const limited = (bounds: Bounds): Bounds | undefined =>
    bounds.ways <= MAX_WAYS && bounds.length <= MAX_LENGTH ? bounds : undefined;
  switch (node.kind) {
    case "character":
    case "set":
      return { ways: 1, length: 1, mayBeEmpty: false };
    case "at":
      return { ways: 1, length: 0, mayBeEmpty: false };
    case "group":
      return boundsOf(node.node);
    case "look":
    case "atomic": {
      const inside = boundsOf(node.node);
      return inside && { ...inside, mayBeEmpty: node.kind === "atomic" && inside.mayBeEmpty };
    }
    case "sequence":
    case "either": {
      let all: Bounds = { ways: node.kind === "either" ? 0 : 1, length: 0, mayBeEmpty: node.kind === "sequence" };
      for (const one of node.nodes) {
        const bounds = boundsOf(one);
        if (!bounds) return undefined;
        const { ways, length, mayBeEmpty } = bounds;
        all =
          node.kind === "either"
            ? { ways: all.ways + ways, length: Math.max(all.length, length), mayBeEmpty: all.mayBeEmpty || mayBeEmpty }
            : { ways: all.ways * ways, length: all.length + length, mayBeEmpty: all.mayBeEmpty && mayBeEmpty };
      }
      return limited(all);
    }
    case "repeat": {
      const inside = boundsOf(node.node);
      if (!inside || node.max > MAX_LENGTH) return undefined;
      let ways = 0;
      for (let i = node.min; i <= node.max; i++) ways += inside.ways ** i;
      return limited({ ways, length: inside.length * node.max, mayBeEmpty: node.min === 0 || inside.mayBeEmpty });
    }
    case "same":
      return undefined;
    default:
      node satisfies never;
      return undefined;
  }
}
