// Calls of tools in a text: any way in which it is cut into pieces, and what is not a call.

import { array, assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { ToolCallReader } from "./tool-calls.ts";

/** Reads a text that comes in these pieces. */
function read(pieces: readonly string[]) {
  const reader = new ToolCallReader();
  const parts = [...pieces.map((piece) => reader.push(piece)), reader.finish()];
  return {
    text: parts.map(({ text }) => text).join(""),
    calls: parts.flatMap(({ calls }) => calls.map(({ function: { name, arguments: json } }) => [name, json])),
  };
}

const call = (name: string) => `<tool_call>\n{"name": "${name}", "arguments": {"x": "</tool"}}\n</tool_call>`;

test.each<[text: string, left: string, names: readonly string[]]>([
  ["just text", "just text", []],
  [" spaces stay \n", " spaces stay \n", []],
  [call("a"), "", ["a"]],
  [`I look.\n${call("a")}`, "I look.", ["a"]],
  [`${call("a")}\n${call("b")}\n`, "", ["a", "b"]],
  [`first ${call("a")} then`, "first then", ["a"]],
  ["a < b <tool and <tool_ca", "a < b <tool and <tool_ca", []],
  ["a \n<tool_call>no JSON</tool_call> b", "a \n<tool_call>no JSON</tool_call> b", []],
  ['<tool_call>{"arguments": {}}</tool_call>', '<tool_call>{"arguments": {}}</tool_call>', []],
  ['<tool_call>{"name": "open"}', "", ["open"]],
  [" <tool_call>{not closed", " <tool_call>{not closed", []],
])("%j, however it is cut", (text, left, names) => {
  assert(
    property(array(integer({ min: 0, max: text.length }), { maxLength: 12 }), (cuts) => {
      const ends = [0, ...cuts.sort((a, b) => a - b), text.length];
      const pieces = ends.slice(1).map((end, i) => text.slice(ends[i], end));
      const got = read(pieces);
      expect(got.text).toBe(left);
      expect(got.calls.map(([name]) => name)).toEqual(names);
    }),
    { numRuns: 60 },
  );
});

test("arguments are JSON, also where the model wrote them as a text", () => {
  expect(read(['<tool_call>{"name":"a","arguments":{"x": [1]}}</tool_call>']).calls).toEqual([["a", '{"x":[1]}']]);
  expect(read(['<tool_call>{"name":"a","arguments":"{}"}</tool_call>']).calls).toEqual([["a", "{}"]]);
  expect(read(['<tool_call>{"name":"a"}</tool_call>']).calls).toEqual([["a", "{}"]]);
});

test("text that cannot be a call's beginning is not held back", () => {
  const reader = new ToolCallReader();
  expect(reader.push("one").text).toBe("one");
  expect(reader.push(" two <").text).toBe(" two");
  expect(reader.push("b>").text).toBe(" <b>");
});
