// The messages and tools of a chat as OpenAI's clients send them -> as chat templates take them.

import type { ChatMessage } from "kedge/loaders";
import { invalid } from "./api-error.ts";
import { listOf, objectOf, shown, text, type Reader } from "./fields.ts";

/** More messages than a context could hold. */
const MOST_MESSAGES = 65_536;
const MOST_TOOLS = 1024;

/** Reads one message. Its contents are text; `developer` is another name of the system's role. */
const message: Reader<ChatMessage> = (value, name) => {
  const { role, content, tool_calls: calls, ...rest } = objectOf(value, name);
  const given = text(role, `${name}.role`);
  return {
    ...rest,
    role: given === "developer" ? "system" : given,
    content: contentOf(content, `${name}.content`),
    ...(Array.isArray(calls) && { tool_calls: calls.map((call, i) => callOf(call, `${name}.tool_calls[${i}]`)) }),
  };
};

/** Reads the messages of a chat. */
export const messages: Reader<readonly ChatMessage[]> = (value, name) => {
  const read = listOf(message, MOST_MESSAGES)(value, name);
  if (read.length === 0) throw invalid(`${name} is empty: it must have 1 message or more`, name);
  return read;
};

/** Reads the list of tools, which the template gets as they are. */
export const tools: Reader<readonly object[]> = listOf((value, name) => {
  const tool = objectOf(value, name);
  if (tool["type"] !== "function") {
    throw invalid(`${name}.type is ${shown(tool["type"])}: wanted "function"`, `${name}.type`);
  }
  text(objectOf(tool["function"], `${name}.function`)["name"], `${name}.function.name`);
  return tool;
}, MOST_TOOLS);

function contentOf(content: unknown, name: string): string {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(`${name} is ${shown(content)}: wanted a text or a list of parts`, name);
  return content
    .map((value, i) => {
      const part = objectOf(value, `${name}[${i}]`);
      if (part["type"] === "text") return text(part["text"], `${name}[${i}].text`);
      throw invalid(
        `${name}[${i}] is of type ${shown(part["type"])}: kedge runs language models, which read parts of type "text"`,
        name,
      );
    })
    .join("");
}

/** A call of an earlier answer; templates print its arguments, which OpenAI has as a text of JSON, as an object. */
function callOf(value: unknown, name: string): object {
  const call = objectOf(value, name);
  const called = objectOf(call["function"], `${name}.function`);
  const given = called["arguments"];
  return { ...call, function: { ...called, arguments: typeof given === "string" ? parsed(given) : given } };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}
