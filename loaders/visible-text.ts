// Makes text of files safe to show on a terminal. A tensor's name, a token or a template can hold escape sequences that move the cursor,
// change colors or answer as the keyboard does, carriage returns that overwrite a line, and characters that change the direction of
// text or are invisible.

/**
 * All that has no glyph of its own: control characters of C0 and C1, format characters (bidirectional ones, tags, spaces without width),
 * separators of lines and paragraphs, halves of surrogate pairs. Not the two joiners, without which some scripts and emoji are
 * not what they are.
 */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const NAMED: Readonly<Record<string, string>> = { "\n": String.raw`\n`, "\r": String.raw`\r`, "\t": String.raw`\t` };

/**
 * The text on one line, with escapes such as `\u001b` in place of what would act on a terminal or could not be seen. They are escapes of JSON,
 * so that a document of JSON stays what it is.
 */
export function visibleText(text: string): string {
  return text.replace(
    INVISIBLE,
    (character) =>
      NAMED[character] ?? Array.from({ length: character.length }, (_, i) => unit(character.charCodeAt(i))).join(""),
  );
}

function unit(code: number): string {
  return String.raw`\u${code.toString(16).padStart(4, "0")}`;
}
