// Classes of characters as the Rust library's dependencies know them. Each was made for one version of Unicode and keeps
// to it: Oniguruma and the `regex` crate for 16, older crates for 7 to 9. JavaScript's `\p{...}` follows the runtime, so
// that every class here is a JavaScript class without the characters that came later.
//
// A list of ranges is text: the distance from the end of the range before, in base 36, and "+length - 1" where a range has
// more than one character.

/** Begin and end (included) of ranges of code points, ascending. */
export type Ranges = readonly (readonly [begin: number, end: number])[];

/** Reads a list of ranges. */
export function readRanges(text: string): Ranges {
  let last = 0;
  return text.split(" ").map((item) => {
    const [gap = "0", more = "0"] = item.split("+");
    const begin = last + Number.parseInt(gap, 36);
    last = begin + Number.parseInt(more, 36);
    return [begin, last] as const;
  });
}

const write = (codePoint: number): string => `\\u{${codePoint.toString(16)}}`;

/** Ranges as the inside of a JavaScript character class. */
export function writeRanges(ranges: Ranges): string {
  return ranges.map(([begin, end]) => (begin === end ? write(begin) : `${write(begin)}-${write(end)}`)).join("");
}

const listed = (text: string): string => writeRanges(readRanges(text));

/** Characters that Unicode 17 added. The tables of Oniguruma and of the `regex` crate end with 16. */
export const AFTER_UNICODE_16 = listed(
  "1ov r1 3k 2r7+e 3+b 15i 251 ojc+1 3 2 t gk2+f ce+1 1j+6 29e+p 12k+2 9+8 y+1 2g5+7 g9+17 5+9 fxz+o 3+o 7z+4 4qq+7 zu+l 2q+36 cg8+2 ce+m g+g 4pc+u 2+l 9+1 34p 4f+3 9i+8 ak+3 1f 4 1m 5 t 5 7f 10zk+5 4mb+b gsj+3bd",
);

const classOf = (inside: string): RegExp => new RegExp(`^${inside}$`, "v");

/** A test of one character, which remembers its answers. */
function test(inside: string): (character: string) => boolean {
  const pattern = classOf(inside);
  const known = new Map<string, boolean>();
  return (character) => {
    let is = known.get(character);
    if (is === undefined) {
      is = pattern.test(character);
      if (known.size < 20_000) known.set(character, is);
    }
    return is;
  };
}

/** Rust's `char::is_whitespace`. */
export const isWhiteSpace = test("\\p{White_Space}");
/** The same as the inside of a class. */
export const WHITE_SPACE = "\\p{White_Space}";
/** Rust's `char::is_numeric`. */
export const NUMERIC = "\\p{N}";
/** `\w` of the `regex` crate. */
export const WORD = `[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]--[${AFTER_UNICODE_16}]]`;
/** True if a character is one of {@link WORD}. */
export const isWord = test(WORD);

/** What Bert's and the Punctuation step take for punctuation. */
export const PUNCTUATION = `[[\\p{P}$+<=>\\^\`\\|~\\u{166d}\\u{111c9}]--[${listed(
  "17h rk 3d e9 d 2x6+1 1a+2 3pg+c 3+b 1829 8v z 3p+4 19+3 uj+1 2+1 37+4 b+1 2 eb+c 25 aq 7d+2 4c 2l+7 2c+2 2+4 2m+9 60 2o+4 17+1 hy+1 23+c 4w 35e+1 c57+2 88+3 94 nbx nz+1",
)}]]`;

/** What StripAccents removes: marks. */
export const isCombiningMark = test(
  `[[\\p{M}\\u{1cf2}-\\u{1cf3}]--[${listed(
    "1kt 4a+8 17+9 8b 70+5 2e 4v 1k 53 d 1n+1 1x 8p k 1mv 6y j4+u 3+b ek 73+4 raq 5v js5+3 1u+4 8u+1 26+5 1z+a 1e+3 6j 3+1 26 3n+1 3n 5+1 36 6y 3h+8 2 3 2+3 2+4 2 f+1 3g r2+e 6u+5 2+1 3+3 2 2+1 3y+6 3+6 4 t+9 15+6 2+3 9 a+a 1b+f 5j+7 cq+5 4 2+1 2+6 2 1v+4 2+1 2+4 9o+3 a+1 2 1d+6 4+4 o 44m 7+e 8uh+h 2sg 1c+8 2l c+1 irz+19 3+m 3ex 4h+6 ag 1q+3 e5+3 73+1 6s 3 8+1 6",
  )}]]`,
);

/** What Bert's strip_accents removes: marks without width. */
export const isNonSpacingMark = test(
  `[[\\p{Mn}\\u{1734}\\u{1171e}]--[${listed(
    "1kt 4a+8 17+n 7x 70+5 2e 4v 1k 5g 1n+1 1x 8p k 1tt 3a+1 ft+u 3+b ln+5 rap 49 1m 5a jmv+3 1u+4 8u+1 26+5 1z+a 1e+3 6j 3+1 26 7b 6 33 3 6y 3k+5 e 2 2 f+1 2e+7 3+2 2 o r5+8 2+1 75+1 2 5 41+3 3+1 5 x+9 15+5 3+3 9 a+5 3+2 1b+c 2+1 5j 2+2 2 5m+6 2+5 2 2b+l 3+6 2+1 2+1 3f+5 4 2+1 2+6 2 21+1 4 2 9o+1 c+1 1h+4 6 2 o 44m 7+e 8uh+b 4+2 2sg 45 isc+19 3+m 3ay+6 2+g 3+6 2+1 2+4 2t 4h+6 ag 1q+3 e5+3 73+1 6s 3 8+1 6 gf+6",
  )}]]`,
);

/** What Bert's clean_text removes: control, format and private characters, and U+FFFD. */
export const isBertControl = test(`[[\\p{Cc}\\p{Cf}\\p{Co}\\u{fffd}]--[${listed("9+1 3 1oj+1 29 1g4r 6zn+f")}]]`);

/**
 * Characters that got their decomposition, composition or place in the order of marks after the version of Unicode that
 * the Rust library normalises by: they stay as they are, and join to nothing.
 */
const NEVER_NORMALISED = new RegExp(
  `[${listed(
    "1kt 4a+8 17+9 8b fy 73+1 am 1nf q2+u 3+b ln+4 45h n3m+3 1k n1 huo 9 8 a bh+4 2+15 2+8 12i+3 1u+4 8u+1 26+1 2+2 1z+a 1e+3 6j jv 1z+3 6 3 2+1 1d 3 2+1 6+2 3y rf+1 6z 3 5+1 5 4d 2c j 2a ix 2+1 2a bu+1 d0c 3+8 6 2es 4+3 hy+1 icl+z 3sn+1p y 4h+6 ag 1q+3 e5+3 73+1 6s 3 8+1 6 22f 22s+9",
  )}]`,
  "v",
);

/** One of Unicode's normal forms. */
export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Brings text to a normal form, by the Rust library's version of Unicode. */
export function normalForm(text: string, form: NormalForm): string {
  if (!NEVER_NORMALISED.test(text)) return text.normalize(form);
  let done = "";
  let part = "";
  for (const character of text) {
    if (NEVER_NORMALISED.test(character)) {
      done += part.normalize(form) + character;
      part = "";
    } else part += character;
  }
  return done + part.normalize(form);
}
