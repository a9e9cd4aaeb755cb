// Calls of tools, as models write them and as OpenAI's clients read them. One format is known, that of Qwen and Hermes: each call is
// `<tool_call>{"name": …, "arguments": {…}}</tool_call>` in the text. What does not parse as a call stays text.

import { randomUUID } from "node:crypto";
import type { Tokenizer } from "kedge/loaders";

/** How a model writes calls. */
export type ToolFormat = "hermes";

/** A call of a tool, as OpenAI has it. */
export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

const OPEN = "<tool_call>";
/** What ends a call. */
export const CLOSE = "</tool_call>";

const PROBE = {
  type: "function",
  function: { name: "probe", description: "probe", parameters: { type: "object", properties: {} } },
};

/** The format of a model: known by what its chat template tells the model about tools. */
export function toolFormatOf(tokenizer: Pick<Tokenizer, "applyChatTemplate">): ToolFormat | undefined {
  const messages = [{ role: "user", content: "probe" }];
  try {
    return tokenizer.applyChatTemplate(messages, { tools: [PROBE] }).includes(OPEN) ? "hermes" : undefined;
  } catch {
    return undefined; // no template, or one that refuses tools
  }
}

/** A piece of an answer: text, and the calls that are whole. */
export interface ReadAnswer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** Splits an answer, as it comes, into text and calls. White space before a call is no part of the text, nor is that behind the last. */
export class ToolCallReader {
  /** text that may become a call, or white space before one */
  #held = "";
  /** the white space before the call that `held` begins with; undefined outside of calls */
  #space: string | undefined;
  #hasCalls = false;

  /** The text that is certain and the calls that are whole now. */
  push(piece: string): ReadAnswer {
    this.#held += piece;
    let text = "";
    const calls: ToolCall[] = [];
    for (;;) {
      if (this.#space === undefined) {
        const at = this.#held.indexOf(OPEN);
        const before = at < 0 ? this.#held : this.#held.slice(0, at);
        const certain = at < 0 ? before.slice(0, before.length - unsettled(before)) : before.trimEnd();
        text += certain;
        this.#held = this.#held.slice(at < 0 ? certain.length : at);
        if (at < 0) break;
        this.#space = before.slice(certain.length);
      }
      const close = this.#held.indexOf(CLOSE);
      if (close < 0) break;
      const end = close + CLOSE.length;
      const call = parseCall(this.#held.slice(OPEN.length, close));
      if (call) calls.push(call);
      else text += this.#space + this.#held.slice(0, end);
      this.#hasCalls ||= call !== undefined;
      this.#held = this.#held.slice(end);
      this.#space = undefined;
    }
    return { text, calls };
  }

  /** The rest: a call that the model did not close, or text. */
  finish(): ReadAnswer {
    const [held, space] = [this.#held, this.#space];
    this.#held = "";
    this.#space = undefined;
    const call = space === undefined ? undefined : parseCall(held.slice(OPEN.length));
    if (call) return { text: "", calls: [call] };
    return { text: (space ?? "") + (this.#hasCalls ? held.trimEnd() : held), calls: [] };
  }
}

/** How many characters at the end may belong to a call that begins: white space, and the beginning of its mark. */
function unsettled(text: string): number {
  let mark = Math.min(OPEN.length - 1, text.length);
  while (mark > 0 && !text.endsWith(OPEN.slice(0, mark))) mark--;
  return text.length - text.slice(0, text.length - mark).trimEnd().length;
}

function parseCall(text: string): ToolCall | undefined {
  try {
    const { name, arguments: given = {} } = JSON.parse(text) as {
      readonly name?: unknown;
      readonly arguments?: unknown;
    };
    if (typeof name !== "string") return undefined;
    const json = typeof given === "string" ? given : JSON.stringify(given);
    return { id: `call_${randomUUID().replaceAll("-", "")}`, type: "function", function: { name, arguments: json } };
  } catch {
    return undefined;
  }
}
