// Patterns that ignore case, in full: JavaScript has no way to ignore it in a part of a pattern, so that each character there
// becomes the set of those that it may be. Oniguruma also lets one character stand for several ("ss" for \u00df), which no
// known tokenizer uses; such patterns are refused.

/** Letters that fold to the same, by what they fold to. Made when a letter outside of ASCII asks. */
let groups: ReadonlyMap<string, readonly string[]> | undefined;

function fold(character: string): string {
  const lower = character.toLowerCase();
  if (lower.length > 2 || (lower.length === 2 && lower.codePointAt(0)! < 0x10000)) return character;
  const upper = lower.toUpperCase();
  const again = upper.toLowerCase();
  return [...upper].length === 1 && [...again].length === 1 ? again : lower;
}

/** The last letter with a case has this code point. */
const LAST_CASED = 0x1e943;

function foldGroups(): ReadonlyMap<string, readonly string[]> {
  if (groups) return groups;
  const made = new Map<string, string[]>();
  const cased = /[\p{Changes_When_Casefolded}\p{Changes_When_Casemapped}]/u;
  for (let codePoint = 0; codePoint <= LAST_CASED; codePoint++) {
    const character = String.fromCodePoint(codePoint);
    if (!cased.test(character)) continue;
    const key = fold(character);
    const group = made.get(key);
    if (group) group.push(character);
    else made.set(key, [character]);
  }
  return (groups = made);
}

/** The characters that are the same as one where case is ignored, itself first. */
export function caseVariants(character: string): readonly string[] {
  if (/^[a-zA-Z]$/.test(character)) {
    const lower = character.toLowerCase();
    const both = [lower, lower.toUpperCase()];
    return lower === "k" ? [...both, "\u212a"] : lower === "s" ? [...both, "\u017f"] : both;
  }
  if (character < "\u0080") return [character];
  const group = foldGroups().get(fold(character)) ?? [];
  return [character, ...group.filter((other) => other !== character)];
}

/** True for a character that is several where case is ignored, such as \u00df. */
export function foldsToSeveral(character: string): boolean {
  return character >= "\u0080" && ([...character.toUpperCase()].length > 1 || [...character.toLowerCase()].length > 1);
}

const MAX_RANGE = 10_000;

/** The items of a class with all that they may be where case is ignored. `refuse` makes the error for what cannot be told. */
export function foldSet(items: readonly string[], refuse: (what: string) => Error): string[] {
  const all: string[] = [];
  for (const item of items) {
    all.push(item);
    const range = /^(\\u\{[0-9a-f]+\}|.)(?:-(\\u\{[0-9a-f]+\}|.))?$/u.exec(item);
    if (!range) {
      // Numbers, marks, spaces and punctuation have no case, and of letters all may be there.
      if (
        /^\\p\{(?:White_Space|Zs|Cc|N|Nd|P|S|Z)\}$/.test(item) ||
        /^\[\[\\p\{(?:L|N|Nd|M|Mn|P|S|Z|Alphabetic)\}/.test(item)
      )
        continue;
      throw refuse(`the class item ${item.length > 40 ? `${item.slice(0, 40)}...` : item} where case is ignored`);
    }
    const begin = codePointOf(range[1]!);
    const end = range[2] === undefined ? begin : codePointOf(range[2]);
    if (end - begin > MAX_RANGE) continue;
    for (let codePoint = begin; codePoint <= end; codePoint++) {
      const character = String.fromCodePoint(codePoint);
      if (begin === end && foldsToSeveral(character))
        throw refuse(`${JSON.stringify(character)} where case is ignored`);
      for (const variant of caseVariants(character)) {
        if (variant !== character) all.push(`\\u{${variant.codePointAt(0)!.toString(16)}}`);
      }
    }
  }
  return all;
}

function codePointOf(written: string): number {
  const hex = /^\\u\{([0-9a-f]+)\}$/.exec(written)?.[1];
  return hex === undefined ? written.codePointAt(0)! : Number.parseInt(hex, 16);
}
