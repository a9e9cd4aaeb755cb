// `<anchor>…</anchor>` in a prompt -> the prompt without its tags, and the characters that were between them.
//
// `\<anchor>` and `\</anchor>` are literal tags. Before a tag, and only there, a backslash is written as two: with k backslashes
// in front of it, the text keeps ⌊k / 2⌋ of them, and the tag is literal if k is odd. Tags do not nest.

import type { Span } from "./spans.ts";

/** A prompt without its tags. */
export interface UntaggedPrompt {
  readonly text: string;
  /** characters of `text` that were between tags, ascending; adjacent ones are apart */
  readonly spans: readonly Span[];
}

const TAG = /(\\*)(<\/?anchor>)/g;
const OPEN = "<anchor>";

/** True if `parseAnchorTags` would change the text: it has a tag, even an escaped one. */
export function hasAnchorTags(prompt: string): boolean {
  return prompt.search(TAG) >= 0;
}

/**
 * Takes the tags out. Positions in messages are characters of the prompt as given.
 *
 * Throws RangeError for a tag inside another, a closing tag without an opening one, an opening tag that is never closed, and a pair
 * with nothing between.
 */
export function parseAnchorTags(prompt: string): UntaggedPrompt {
  const spans: Span[] = [];
  let text = "";
  let done = 0;
  let opened: { at: number; begin: number } | undefined;
  for (const match of prompt.matchAll(TAG)) {
    const backslashes = match[1]!;
    const tag = match[2]!;
    const at = match.index + backslashes.length;
    text += prompt.slice(done, match.index) + backslashes.slice(0, backslashes.length >> 1);
    done = at + tag.length;
    if (backslashes.length % 2 === 1) {
      text += tag;
    } else if (tag === OPEN) {
      if (opened) {
        throw new RangeError(
          `the <anchor> at character ${at} is inside the one at character ${opened.at}: tags cannot nest (write \\<anchor> for a literal one)`,
        );
      }
      opened = { at, begin: text.length };
    } else {
      if (!opened) {
        throw new RangeError(
          `the </anchor> at character ${at} closes nothing: there is no <anchor> before it (write \\</anchor> for a literal one)`,
        );
      }
      if (opened.begin === text.length) {
        throw new RangeError(
          `the <anchor> at character ${opened.at} has 0 characters before its </anchor>; it needs at least 1`,
        );
      }
      spans.push({ begin: opened.begin, end: text.length });
      opened = undefined;
    }
  }
  if (opened) {
    throw new RangeError(
      `the <anchor> at character ${opened.at} of ${prompt.length} is never closed (write \\<anchor> for a literal one)`,
    );
  }
  return { text: text + prompt.slice(done), spans };
}

/** The text with all its tags made literal: `parseAnchorTags` gives it back, without spans. For text that is not one's own. */
export function escapeAnchorTags(text: string): string {
  return text.replaceAll(TAG, (_match, backslashes: string, tag: string) => `${backslashes}${backslashes}\\${tag}`);
}
