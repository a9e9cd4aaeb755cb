// Maps anchors in the messages of a chat to ranges of characters in the templated text.
//
// To find a message in that text, the template is rendered a second time with a marker before and after each message's content; the
// result must be the same text except for the markers. The markers are inside the white space at the edges of a content, so that
// templates that trim contents are supported.

import type { ChatMessage } from "../../loaders/index.ts";
import { findOccurrences, type PromptAnchor, type CharacterAnchor, type Span } from "./spans.ts";
import { parseAnchorTags } from "./tags.ts";

/** A message with anchors of its own; the template does not see the list. */
export interface AnchoredMessage extends ChatMessage {
  /** of its content: texts (every occurrence in this message) and ranges of characters */
  readonly anchors?: readonly PromptAnchor[] | undefined;
}

/** A chat as one prompt. */
export interface AnchoredChat {
  /** without lists of anchors and, if asked for, without tags */
  readonly messages: readonly ChatMessage[];
  readonly text: string;
  /** as ranges of characters of `text` */
  readonly anchors: readonly CharacterAnchor[];
}

/**
 * Puts messages through a chat template and finds their anchors in the result.
 *
 * @param render the chat template: `(messages) => tokenizer.applyChatTemplate(messages, options)`
 * @param options.tags take `<anchor>` tags in contents for anchors; true by default
 *
 * Throws RangeError for anchors that do not occur in their message, that are empty or outside it, for tags that do not pair up, and
 * where the template leaves a message with anchors out or changes it so that they cannot be found.
 */
export function anchorChat(
  messages: readonly AnchoredMessage[],
  render: (messages: readonly ChatMessage[]) => string,
  { tags = true }: { readonly tags?: boolean | undefined } = {},
): AnchoredChat {
  const wanted: (readonly PromptAnchor[])[] = [];
  const plain = messages.map(({ anchors = [], ...message }, i): ChatMessage => {
    const untagged = tags ? inMessage(i, () => parseAnchorTags(message.content)) : { text: message.content, spans: [] };
    wanted.push([...untagged.spans.map((characters) => ({ characters })), ...anchors]);
    return { ...message, content: untagged.text };
  });
  const text = render(plain);
  if (wanted.every((anchors) => anchors.length === 0)) return { messages: plain, text, anchors: [] };

  const places = placeMessages(plain, text, render);
  const anchors = wanted.flatMap((list, i) =>
    list.flatMap((anchor) => inText(anchor, i, plain[i]!.content, text, places)),
  );
  return { messages: plain, text, anchors };
}

/**
 * Where each message's content stands in a templated text, white space at its edges aside: no place for one that the template leaves out,
 * several for one that it repeats.
 *
 * @param text `render(messages)`
 *
 * Throws RangeError if the template gives another text, markers aside, when contents are marked.
 */
export function placeMessages(
  messages: readonly ChatMessage[],
  text: string,
  render: (messages: readonly ChatMessage[]) => string,
): Span[][] {
  const marker = unusedCharacter(text + JSON.stringify(messages));
  const marked = messages.map((message, i) => {
    const { begin, end } = trimmed(message.content);
    if (begin === end) return message;
    const { content } = message;
    const inside = `${marker}${i}<${marker}${content.slice(begin, end)}${marker}${i}>${marker}`;
    return { ...message, content: content.slice(0, begin) + inside + content.slice(end) };
  });
  const places: { begin: number; end: number }[][] = messages.map(() => []);
  const open: { message: number; begin: number }[] = [];
  let rest = "";
  let isPaired = true;
  // Markers separate texts: text, marker, text, marker, ..., text.
  for (const [i, piece] of render(marked).split(marker).entries()) {
    if (i % 2 === 0) {
      rest += piece;
      continue;
    }
    const message = Number(piece.slice(0, -1));
    if (piece.endsWith("<")) open.push({ message, begin: rest.length });
    else {
      const opened = open.pop();
      isPaired &&= opened?.message === message;
      places[message]?.push({ begin: opened?.begin ?? 0, end: rest.length });
    }
  }
  if (!isPaired || open.length > 0 || rest !== text) {
    throw new RangeError(
      "the chat template changes what messages say, so that their anchors cannot be found in its text: name anchors by their text in the whole prompt",
    );
  }
  return places;
}

/** One anchor of a message as ranges of the templated text. */
function inText(
  anchor: PromptAnchor,
  index: number,
  content: string,
  text: string,
  places: readonly (readonly Span[])[],
): CharacterAnchor[] {
  const {
    text: needle,
    characters,
    tokens,
    ...rest
  } = (typeof anchor === "string" ? { text: anchor } : anchor) as {
    readonly text?: string;
    readonly characters?: Span;
    readonly tokens?: Span;
  };
  const label = needle === undefined ? "its anchor" : `its anchor ${JSON.stringify(needle)}`;
  if (tokens)
    throw new RangeError(`message ${index}: ${label} is named by tokens, which a message does not have: name its text`);
  let spans: Span[];
  if (needle === undefined) {
    const { begin, end } = characters!;
    if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin < end && end <= content.length)) {
      throw new RangeError(
        `message ${index}: its anchor is characters ${begin}..${end}, which is empty or no range of its ${content.length} characters`,
      );
    }
    spans = [{ begin, end }];
  } else {
    spans = findOccurrences(content, needle);
    if (spans.length === 0) {
      throw new RangeError(`message ${index}: ${label} does not occur in its ${content.length} characters`);
    }
  }
  const copies = places[index]!;
  if (copies.length === 0)
    throw new RangeError(`message ${index}: ${label} is lost, as the chat template leaves the message out`);
  const inner = trimmed(content);
  const kept = content.slice(inner.begin, inner.end);
  return copies.flatMap((copy) => {
    if (text.slice(copy.begin, copy.end) !== kept) {
      throw new RangeError(`message ${index}: ${label} cannot be found, as the chat template rewrites the message`);
    }
    return spans.map(({ begin, end }) => {
      // White space at a content's edges may be gone from the text.
      const from = Math.max(begin, inner.begin) - inner.begin + copy.begin;
      const to = Math.min(end, inner.end) - inner.begin + copy.begin;
      if (from >= to) throw new RangeError(`message ${index}: ${label} is white space at the edge of the message`);
      return { ...rest, characters: { begin: from, end: to } };
    });
  });
}

/** The range of a content without the white space at its edges. */
function trimmed(content: string): Span {
  const begin = content.length - content.trimStart().length;
  return { begin, end: Math.max(begin, content.trimEnd().length) };
}

/** A character of the private use area that a text does not have. */
function unusedCharacter(text: string): string {
  for (let code = 0xe000; code < 0xf900; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  throw new RangeError(
    "the chat uses all 6400 characters of the private use area: its anchors cannot be found in the templated text",
  );
}

function inMessage<Value>(index: number, make: () => Value): Value {
  try {
    return make();
  } catch (cause) {
    throw new RangeError(`message ${index}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
