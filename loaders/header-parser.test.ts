import { describe, expect, it } from "vitest";
import { HeaderParser } from "./header-parser.ts";
import type { Entry } from "./tensor-info.ts";
import { finish } from "./work.ts";

/** What comes of a header, or its error. */
function read(text: string | readonly string[]): unknown {
  const entries = new Map<string, Entry>();
  try {
    const metadata = finish(new HeaderParser("m", text).parse(entries));
    return { entries: [...entries], metadata: [...metadata] };
  } catch (error) {
    return String(error);
  }
}

function inPieces(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

const tensor = (name: string, i: number): string =>
  `"${name}": {"dtype": "F32", "shape": [1, 1], "data_offsets": [${4 * i}, ${4 * i + 4}]}`;
const many = Array.from({ length: 4000 }, (_, i) => tensor(`blocks.${i}.weight`, i)).join(", ");
const long = 'kedge \\u00e9 \\"x\\" '.repeat(20_000);
const spaces = " ".repeat(200_000);

const headers: Readonly<Record<string, string>> = {
  "many tensors": `{${many}}`,
  "a long name": `{${many}, ${tensor("n".repeat(150_000), 4000)}, ${tensor("last", 4001)}}`,
  "long metadata": `{"__metadata__": {"tags": "${long}", "null": "null"}, ${many}}`,
  "long metadata behind the tensors": `{${many}, "__metadata__": {"tags": "${long}"}}`,
  "no metadata behind the tensors": `{${many}, "__metadata__": null}`,
  "long space": `{${spaces}${many}${spaces},${spaces}${tensor("last", 4000)}${spaces}}${spaces}`,
  "no tensors": `{${spaces}}${spaces}`,
  nothing: "",
  "no object": `[${many}]`,
  "an end too early": `{${many}, "x": {"dtype": "F32", "shape": [1, 1`,
  "an end in space": `{${many}${spaces}`,
  "an end in a name": `{${many}, "${"n".repeat(100_000)}`,
  "something behind its end": `{${many}}${spaces}x`,
  "a wrong escape far behind": `{${many}, "__metadata__": {"tags": "${long}", "a": "\\x"}}`,
  "a wrong number in the middle": `{${many}, ${tensor("wrong", 4000).replace("[1, 1]", "[1, -1]")}, ${many.replaceAll("blocks", "more")}}`,
  "a name twice": `{${many}, ${tensor("blocks.3999.weight", 4000)}}`,
  "an unknown field": `{${many}, "x": {"dtype": "F32", "format": 1}}`,
};

describe("a header in pieces", () => {
  it.each(Object.entries(headers))("is read as the whole: %s", (_, text) => {
    const whole = read(text);
    for (const length of [7, 4096, 65_536, 100_003]) expect(read(inPieces(text, length))).toEqual(whole);
  });

  it("is what these headers are for", () => {
    const outcomes = Object.values(headers).map((text) => typeof read(text));
    expect(outcomes.filter((kind) => kind === "object")).toHaveLength(7);
    expect(read(headers["a wrong number in the middle"]!)).toMatch(/wrong.*header, character 3\d{5}\)/s);
  });
});
