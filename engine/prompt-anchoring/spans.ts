// Resolves anchors, as callers name them, to groups of token ranges, one group for each masked row.
//
// Vocabulary: an anchor is a piece of the prompt, named by its text, its characters or its tokens; anchors of one strength form
// a group, unless they name groups of their own. Characters are counted in UTF-16 code units, as strings are indexed. All ranges
// are half-open. Tokens are masked whole: a span that covers part of a token takes all of it, and a note says so.

import { checkOptions } from "../options.ts";
import { checkStrength, type Strength } from "./strength.ts";

/** A half-open range of characters or tokens. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

interface PromptAnchorOptions {
  /** of its own; the run's otherwise */
  readonly strength?: Strength | undefined;
  /** anchors of one name share a masked row; without a name, those of one strength do */
  readonly group?: string | undefined;
}

/** Every occurrence of a text, overlapping ones too. */
export interface TextAnchor extends PromptAnchorOptions {
  readonly text: string;
}

/** A range of the prompt's characters. */
export interface CharacterAnchor extends PromptAnchorOptions {
  readonly characters: Span;
}

/** A range of the prompt's tokens. */
export interface TokenAnchor extends PromptAnchorOptions {
  readonly tokens: Span;
}

/** An anchor as callers name it; a string is every occurrence of that text. */
export type PromptAnchor = string | TextAnchor | CharacterAnchor | TokenAnchor;

/** A prompt in which anchors are to be found. */
export interface AnchorPrompt {
  readonly ids: readonly number[];
  /** absent for a prompt given as tokens: anchors can then be named by tokens only */
  readonly text?: string | undefined;
  /** characters of each token, from `Tokenizer.encodeWithOffsets`; with `text` */
  readonly offsets?: readonly Span[] | undefined;
}

/** Anchors that share a masked row. */
export interface AnchorGroup {
  readonly name?: string | undefined;
  /** absent: the run's */
  readonly strength?: Strength | undefined;
  /** ascending, apart; at least one */
  readonly tokens: readonly Span[];
}

/** The groups of a prompt, in the order in which they were first named, and sentences for the user. */
export interface AnchorGroups {
  readonly groups: readonly AnchorGroup[];
  readonly notes: readonly string[];
}

/** The members of an anchor: one of the first three, and its options. */
const ANCHOR_NAMES = { text: true, characters: true, tokens: true, strength: true, group: true } as const;

/** One anchor's tokens. */
interface LocatedAnchor {
  readonly label: string;
  readonly characters: readonly Span[];
  readonly tokens: readonly Span[];
}

interface OpenGroup {
  readonly name: string | undefined;
  readonly strength: Strength | undefined;
  readonly located: LocatedAnchor[];
}

/**
 * Finds anchors in a prompt. `strength` is the run's: anchors that name the same one join the group of those that name none.
 *
 * Throws RangeError, in one sentence, for no anchors at all, an anchor that does not occur, a range that is empty or outside the
 * prompt, a strength that is not a number, anchors of one group with two strengths, and groups that overlap or share a token.
 */
export function resolveAnchors(
  prompt: AnchorPrompt,
  anchors: readonly PromptAnchor[],
  { strength: fallback }: { readonly strength?: Strength | undefined } = {},
): AnchorGroups {
  if (anchors.length === 0) throw new RangeError("0 anchors are named; anchoring needs at least 1");
  if (fallback !== undefined) checkStrength(fallback, "the run");
  const groups = new Map<Strength | string | undefined, OpenGroup>();
  const notes: string[] = [];
  for (const [i, given] of anchors.entries()) {
    const anchor = typeof given === "string" ? { text: given } : given;
    const label = labelOf(anchor, i);
    checkOptions<object>(label, anchor, ANCHOR_NAMES);
    const own = anchor.strength === undefined ? undefined : checkStrength(anchor.strength, label);
    const strength = own ?? fallback;
    // A strength is no string, so that names and strengths cannot be confused.
    const group = mapGet(groups, anchor.group === undefined ? strength : `name ${anchor.group}`, () => ({
      name: anchor.group,
      strength,
      located: [],
    }));
    if (group.strength !== strength) {
      throw new RangeError(
        `${label} has strength ${describe(strength)}, but its group ${JSON.stringify(anchor.group)} has ${describe(group.strength)}`,
      );
    }
    const located = place(prompt, anchor, label);
    group.located.push(located);
    const note = partialNote(prompt, located);
    if (note !== undefined) notes.push(note);
  }
  const open = [...groups.values()];
  refuseOverlaps(prompt, open);
  return {
    groups: open.map(({ name, strength, located }) => ({
      name,
      strength,
      tokens: mergeSpans(located.flatMap(({ tokens }) => tokens)),
    })),
    notes: [...new Set(notes)],
  };
}

/**
 * Reads an anchor from a command line: `text`, or `text@1.4` for a strength of its own. The strength is what follows the last
 * `@` if it starts like a number; `\@` is an `@` of the text. Throws RangeError for an empty text and for a strength that starts like a number
 * and is none.
 */
export function parseAnchorArgument(argument: string): TextAnchor {
  const at = argument.lastIndexOf("@");
  const suffix = argument.slice(at + 1);
  const hasStrength = at >= 0 && argument[at - 1] !== "\\" && /^[+-]?\.?\d/.test(suffix);
  const text = (hasStrength ? argument.slice(0, at) : argument).replaceAll("\\@", "@");
  if (text === "") throw new RangeError(`the anchor ${JSON.stringify(argument)} has no text`);
  if (!hasStrength) return { text };
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(suffix)) {
    throw new RangeError(
      `the strength of the anchor ${JSON.stringify(argument)} is ${JSON.stringify(suffix)}: it must be a number (write \\@ for an @ of the text)`,
    );
  }
  return { text, strength: checkStrength(Number(suffix), `the anchor ${JSON.stringify(argument)}`) };
}

/** Every place where `needle` stands in `text`, overlapping ones too; none for an empty needle. */
export function findOccurrences(text: string, needle: string): Span[] {
  const found: Span[] = [];
  if (needle === "") return found;
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
    found.push({ begin: at, end: at + needle.length });
  }
  return found;
}

/**
 * The smallest range of tokens that covers a span of characters; null if no token stands for any of them.
 *
 * @param offsets characters of each token, ascending, from `Tokenizer.encodeWithOffsets`
 */
export function coveringTokens(offsets: readonly Span[], { begin, end }: Span): Span | null {
  // Tokens begin and end in ascending order, so both sides can be found by halving.
  let first = firstIndex(offsets.length, (i) => offsets[i]!.end > begin);
  let last = firstIndex(offsets.length, (i) => offsets[i]!.begin >= end) - 1;
  // Tokens that stand for no characters are not what is meant, unless they stand between two that do.
  const isEmpty = (i: number): boolean => offsets[i]!.begin === offsets[i]!.end;
  while (first <= last && isEmpty(first)) first++;
  while (first <= last && isEmpty(last)) last--;
  return first <= last ? { begin: first, end: last + 1 } : null;
}

/** Spans in order, those that overlap joined; those that only touch stay apart. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: { begin: number; end: number }[] = [];
  for (const { begin, end } of spans.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    const last = merged.at(-1);
    if (last && begin < last.end) last.end = Math.max(last.end, end);
    else merged.push({ begin, end });
  }
  return merged;
}

/** The first index in 0..count for which `holds`, which holds for all that follow; count if none. */
function firstIndex(count: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function place(prompt: AnchorPrompt, anchor: TextAnchor | CharacterAnchor | TokenAnchor, label: string): LocatedAnchor {
  if ("tokens" in anchor) {
    const tokens = checkRange(anchor.tokens, prompt.ids.length, label, "tokens");
    return { label, characters: [], tokens: [tokens] };
  }
  const { text, offsets } = prompt;
  if (text === undefined || offsets === undefined) {
    throw new RangeError(
      `${label} is named by its characters, but the prompt is given as tokens: name anchors by tokens`,
    );
  }
  if (offsets.length !== prompt.ids.length) {
    throw new RangeError(`there are offsets of ${offsets.length} tokens, but the prompt has ${prompt.ids.length}`);
  }
  const characters =
    "text" in anchor
      ? findOccurrences(text, anchor.text)
      : [checkRange(anchor.characters, text.length, label, "characters")];
  if ("text" in anchor && characters.length === 0) {
    throw new RangeError(
      anchor.text === ""
        ? `${label} has 0 characters; it needs at least 1`
        : `${label} does not occur in the prompt of ${text.length} characters`,
    );
  }
  const tokens = characters.map((span) => coveringTokens(offsets, span));
  const bare = tokens.indexOf(null);
  if (bare >= 0) {
    const { begin, end } = characters[bare]!;
    throw new RangeError(
      `${label}: no token stands for characters ${begin}..${end} of the prompt, which the tokenizer drops`,
    );
  }
  return { label, characters, tokens: tokens.filter((span) => span !== null) };
}

function checkRange(span: Span, length: number, label: string, unit: "characters" | "tokens"): Span {
  const { begin, end } = span;
  if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin <= end && end <= length)) {
    throw new RangeError(`${label} is ${unit} ${begin}..${end}, which is no range of the prompt's ${length} ${unit}`);
  }
  if (begin === end) throw new RangeError(`${label} is ${unit} ${begin}..${end}, which is empty; it needs at least 1`);
  return { begin, end };
}

/** Returns the note on an anchor that covers part of a token; undefined if it covers whole tokens only. */
function partialNote(
  { text, offsets }: AnchorPrompt,
  { label, characters, tokens }: LocatedAnchor,
): string | undefined {
  if (text === undefined || offsets === undefined) return undefined;
  let example: number | undefined;
  let places = 0;
  for (const [i, { begin, end }] of characters.entries()) {
    const range = tokens[i]!;
    const partial = [range.begin, range.end - 1].find((at) => offsets[at]!.begin < begin || offsets[at]!.end > end);
    if (partial === undefined) continue;
    places++;
    example ??= partial;
  }
  if (example === undefined) return undefined;
  const { begin, end } = offsets[example]!;
  const where = characters.length === 1 ? "" : ` at ${places} of ${characters.length} places`;
  return `${label} covers part of a token${where}: the whole token is masked, such as token ${example} ${excerpt(text.slice(begin, end))}`;
}

/** Throws for characters or tokens that two groups claim. */
function refuseOverlaps({ text, offsets }: AnchorPrompt, groups: readonly OpenGroup[]): void {
  for (const unit of ["characters", "tokens"] as const) {
    const claims = groups.flatMap((group) =>
      group.located.flatMap((located) => located[unit].map((span) => ({ span, group, label: located.label }))),
    );
    claims.sort((a, b) => a.span.begin - b.span.begin);
    let reach: (typeof claims)[number] | undefined; // the claim that reaches farthest so far
    for (const claim of claims) {
      if (reach && reach.group !== claim.group && claim.span.begin < reach.span.end) {
        const at = claim.span.begin;
        const both = `${reach.label} and ${claim.label} are of different groups but`;
        const token =
          text !== undefined && offsets ? ` ${excerpt(text.slice(offsets[at]?.begin, offsets[at]?.end))}` : "";
        throw new RangeError(
          unit === "characters"
            ? `${both} overlap at character ${at} of the prompt`
            : `${both} share token ${at}${token}`,
        );
      }
      if (!reach || claim.span.end > reach.span.end) reach = claim;
    }
  }
}

function labelOf(anchor: TextAnchor | CharacterAnchor | TokenAnchor, index: number): string {
  return "text" in anchor ? `the anchor ${excerpt(anchor.text)}` : `anchor ${index}`;
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 57)}...`);
}

function describe(strength: Strength | undefined): string {
  return typeof strength === "function" ? "a function" : strength === undefined ? "the run's" : String(strength);
}

function mapGet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
