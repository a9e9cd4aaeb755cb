// The sets of characters that Oniguruma has names for, as items of a JavaScript `v` class.

import { AFTER_UNICODE_16 } from "./unicode.ts";

interface NamedSet {
  readonly items: readonly string[];
  readonly isNegated: boolean;
}

const set = (items: readonly string[], isNegated = false) => ({ kind: "set", items, isNegated }) as const;
const without = (inside: string): string => `[[${inside}]--[${AFTER_UNICODE_16}]]`;

/** Sets that syntax has signs for. */
export const SETS = {
  /** `\w` outside of a class: Oniguruma then takes superscripts and fractions of Latin-1 for word characters, too. */
  word: set([without("\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}")]),
  any: set(["\\u{0}-\\u{10ffff}"]),
  dot: set(["\\u{a}"], true),
  lineBreak: {
    kind: "atomic",
    node: {
      kind: "either",
      nodes: [
        {
          kind: "sequence",
          nodes: [
            { kind: "character", character: "\r" },
            { kind: "character", character: "\n" },
          ],
        },
        set(["\\u{a}-\\u{d}", "\\u{85}", "\\u{2028}", "\\u{2029}"]),
      ],
    },
  },
} as const;

/** POSIX's names and others that mean the same as a property, all of Unicode. */
const NAMES: Readonly<Record<string, NamedSet>> = {
  alnum: set([without("\\p{Alphabetic}\\p{Nd}")]),
  alpha: set([without("\\p{Alphabetic}")]),
  any: set(["\\u{0}-\\u{10ffff}"]),
  ascii: set(["\\u{0}-\\u{7f}"]),
  assigned: set([without("\\P{Cn}")]),
  blank: set(["\\p{Zs}", "\\u{9}"]),
  cntrl: set(["\\p{Cc}"]),
  digit: set([without("\\p{Nd}")]),
  graph: set(["\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}", AFTER_UNICODE_16], true),
  lower: set([without("\\p{Lowercase}\\u{295}")]),
  print: set(["\\u{85}\\p{Cc}\\p{Cn}\\p{Cs}", AFTER_UNICODE_16], true),
  punct: set([without("\\p{P}\\p{S}")]),
  space: set(["\\p{White_Space}"]),
  upper: set([without("\\p{Uppercase}")]),
  word: set([without("\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}")]),
  xdigit: set(["0-9", "A-F", "a-f"]),
  // A letter that Unicode 17 moved.
  ll: set([without("\\p{Ll}\\u{295}")]),
  lo: set([without("[\\p{Lo}--\\u{295}]")]),
  // What Unicode 16 did not have is unassigned.
  c: set(["\\p{C}", AFTER_UNICODE_16]),
  cn: set(["\\p{Cn}", AFTER_UNICODE_16]),
};

const PROPERTIES =
  "Alphabetic ASCII_Hex_Digit Bidi_Control Bidi_Mirrored Case_Ignorable Cased Changes_When_Casefolded Changes_When_Casemapped Changes_When_Lowercased Changes_When_Titlecased Changes_When_Uppercased Dash Default_Ignorable_Code_Point Deprecated Diacritic Emoji Emoji_Component Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic Extender Grapheme_Base Grapheme_Extend Hex_Digit ID_Continue ID_Start Ideographic Join_Control Logical_Order_Exception Lowercase Math Noncharacter_Code_Point Pattern_Syntax Pattern_White_Space Quotation_Mark Radical Regional_Indicator Sentence_Terminal Soft_Dotted Terminal_Punctuation Unified_Ideograph Uppercase Variation_Selector White_Space XID_Continue XID_Start";

const CATEGORIES =
  "C Cc Cf Cn Co Cs L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs Other Control Format Unassigned Private_Use Surrogate Letter Cased_Letter Lowercase_Letter Modifier_Letter Other_Letter Titlecase_Letter Uppercase_Letter Mark Combining_Mark Spacing_Mark Enclosing_Mark Nonspacing_Mark Number Decimal_Number Letter_Number Other_Number Punctuation Connector_Punctuation Dash_Punctuation Close_Punctuation Final_Punctuation Initial_Punctuation Other_Punctuation Open_Punctuation Symbol Currency_Symbol Modifier_Symbol Math_Symbol Other_Symbol Separator Line_Separator Paragraph_Separator Space_Separator";

const LONG: Readonly<Record<string, string>> = {
  lowercaseletter: "ll",
  otherletter: "lo",
  other: "c",
  unassigned: "cn",
  emoji: "emoji",
};

const plain = (name: string): string => name.toLowerCase().replaceAll(/[ _-]/g, "");
const byPlainName = (names: string): ReadonlyMap<string, string> =>
  new Map(names.split(" ").map((name) => [plain(name), name]));
const properties = byPlainName(PROPERTIES);
const categories = byPlainName(CATEGORIES);

/** The set of a name as in `\p{...}` and `[:...:]`; case, spaces, `_` and `-` do not matter. */
export function namedSet(name: string): NamedSet | undefined {
  const key = plain(name);
  const known = Object.hasOwn(NAMES, LONG[key] ?? key) ? NAMES[LONG[key] ?? key] : undefined;
  if (known) return known;
  const category = categories.get(key);
  if (category !== undefined) return set([without(`\\p{${category}}`)]);
  const property = properties.get(key);
  if (property !== undefined) return set([without(`\\p{${property}}`)]);
  // Scripts: JavaScript wants their names as Unicode writes them, and has them all.
  const script = name
    .trim()
    .split(/[ _-]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join("_");
  return isProperty(`\\p{sc=${script}}`) ? set([without(`\\p{sc=${script}}`)]) : undefined;
}

function isProperty(source: string): boolean {
  try {
    return new RegExp(source, "v").unicodeSets;
  } catch {
    return false;
  }
}
