import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChatMessage } from "../../loaders/index.ts";
import { anchorChat, placeMessages, type AnchoredMessage } from "./chat-anchors.ts";

type Render = (messages: readonly ChatMessage[]) => string;

const chatMl: Render = (messages) =>
  messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join("") +
  "<|im_start|>assistant\n";
/** Swaps the ends of two messages. */
const crossing: Render = (marked) =>
  marked
    .map((message) => message.content)
    .join("")
    .replace(/[01]>/g, (end) => (end === "0>" ? "1>" : "0>"));
const twice: Render = ([message]) => `${message!.content} / ${message!.content}`;
const trimming: Render = (messages) => messages.map(({ role, content }) => `[${role}] ${content.trim()} [/]`).join("");

/** The anchored pieces of the templated text. */
function pieces(messages: readonly AnchoredMessage[], render: Render): string[] {
  const { text, anchors } = anchorChat(messages, render);
  return anchors.map(({ characters }) => text.slice(characters.begin, characters.end));
}

describe("anchorChat", () => {
  it("finds anchors in their own message, even where others and the template say the same", () => {
    const messages = [
      { role: "system", content: "user" },
      { role: "user", content: "the user of user", anchors: ["user"] },
    ];
    const { text, anchors, messages: sent } = anchorChat(messages, chatMl);
    expect(text).toBe(chatMl([messages[0]!, { role: "user", content: "the user of user" }]));
    const begin = text.indexOf("the user");
    expect(anchors).toEqual([
      { characters: { begin: begin + 4, end: begin + 8 } },
      { characters: { begin: begin + 12, end: begin + 16 } },
    ]);
    expect(sent[1]).not.toHaveProperty("anchors");
  });

  it("takes tags out of messages, unless told not to", () => {
    const messages = [{ role: "user", content: "Sort <anchor>in place</anchor>, \\<anchor>" }];
    expect(anchorChat(messages, chatMl).text).toContain("Sort in place, <anchor><|im_end|>");
    expect(pieces(messages, chatMl)).toEqual(["in place"]);
    const literal = anchorChat(messages, chatMl, { tags: false });
    expect(literal.anchors).toEqual([]);
    expect(literal.text).toContain("<anchor>in place</anchor>");
  });

  it("keeps strengths, and takes ranges of characters", () => {
    const anchors = [
      { text: "b", strength: 2 },
      { characters: { begin: 0, end: 1 }, group: "g" },
    ];
    const { text, anchors: found } = anchorChat([{ role: "user", content: "abc", anchors }], chatMl);
    const begin = text.indexOf("abc");
    expect(found).toEqual([
      { strength: 2, characters: { begin: begin + 1, end: begin + 2 } },
      { group: "g", characters: { begin, end: begin + 1 } },
    ]);
  });

  it("follows templates that trim, and anchors that reach into what is trimmed", () => {
    expect(pieces([{ role: "user", content: "\n  sort it \n", anchors: ["sort", "  sort it"] }], trimming)).toEqual([
      "sort",
      "sort it",
    ]);
  });

  it("follows templates that repeat a message", () => {
    expect(anchorChat([{ role: "user", content: "ab", anchors: ["b"] }], twice).anchors).toEqual([
      { characters: { begin: 1, end: 2 } },
      { characters: { begin: 6, end: 7 } },
    ]);
  });

  const content = "say hi";
  it.each([
    [
      "an anchor of another message",
      ["hello"],
      chatMl,
      'message 0: its anchor "hello" does not occur in its 6 characters',
    ],
    [
      "tokens",
      [{ tokens: { begin: 0, end: 1 } }],
      chatMl,
      "message 0: its anchor is named by tokens, which a message does not have: name its text",
    ],
    [
      "an empty range",
      [{ characters: { begin: 2, end: 2 } }],
      chatMl,
      "message 0: its anchor is characters 2..2, which is empty or no range of its 6 characters",
    ],
    [
      "a message that is left out",
      ["hi"],
      () => "nothing",
      'message 0: its anchor "hi" is lost, as the chat template leaves the message out',
    ],
    [
      "a template that rewrites messages",
      ["hi"],
      ((messages) => messages.map((message) => message.content.toUpperCase()).join("")) as Render,
      'message 0: its anchor "hi" cannot be found, as the chat template rewrites the message',
    ],
    [
      "a template that looks at how a message begins",
      ["hi"],
      ((messages) =>
        messages
          .map((message) => (message.content.startsWith("say") ? "S" : "-") + message.content)
          .join("")) as Render,
      "the chat template changes what messages say, so that their anchors cannot be found in its text: name anchors by their text in the whole prompt",
    ],
  ])("refuses %s", (_name, anchors, render, message) => {
    expect(() => anchorChat([{ role: "user", content, anchors }], render)).toThrow(new RangeError(message));
  });

  it("names the message of a wrong tag", () => {
    const messages = [
      { role: "user", content: "a" },
      { role: "user", content: "b</anchor>" },
    ];
    expect(() => anchorChat(messages, chatMl)).toThrow("message 1: the </anchor> at character 1 closes nothing");
  });

  it("refuses white space that a template may trim", () => {
    expect(() =>
      anchorChat([{ role: "user", content: "  a", anchors: [{ characters: { begin: 0, end: 1 } }] }], trimming),
    ).toThrow("message 0: its anchor is white space at the edge of the message");
  });

  it("asks nothing of the template where there are no anchors", () => {
    let runs = 0;
    const render: Render = (messages) => `${++runs} ${messages.map(({ content: said }) => said.length).join()}`;
    expect(anchorChat([{ role: "user", content }], render)).toMatchObject({ text: "1 6", anchors: [] });
    expect(runs).toBe(1);
  });
});

describe("placeMessages", () => {
  it("refuses marks that cross", () => {
    const messages = ["a", "b"].map((content) => ({ role: "user", content }));
    expect(() => placeMessages(messages, "ab", crossing)).toThrow("the chat template changes what messages say");
  });

  it("finds every message in the text, whatever the messages say", () => {
    const said = fc.string({ unit: fc.constantFrom("a", " ", "\n", "<|im_end|>", "user", "\ue000", "0<", "é") });
    fc.assert(
      fc.property(fc.array(said, { maxLength: 5 }), fc.constantFrom(chatMl, trimming), (contents, render) => {
        const messages = contents.map((content) => ({ role: "user", content }));
        const text = render(messages);
        const places = placeMessages(messages, text, render);
        let end = 0;
        for (const [i, content] of contents.entries()) {
          if (content.trim() === "") {
            expect(places[i]).toEqual([]);
            continue;
          }
          const [place, ...more] = places[i]!;
          expect(more).toEqual([]);
          expect(text.slice(place!.begin, place!.end)).toBe(content.trim());
          expect(place!.begin).toBeGreaterThanOrEqual(end);
          ({ end } = place!);
        }
      }),
    );
  });
});
