// Tokenizers of the kinds that people have, made small, with what the Rust library `tokenizers` gives for them. None may be silently
// different: what is not the same must be refused by name.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import {
  filesFolder,
  FormatError,
  loadTokenizer,
  StreamDecoder,
  UnsupportedError,
  type ModelFolder,
  type Tokenizer,
} from "../../loaders/index.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../support/shared.ts";

interface Row {
  readonly text: string;
  readonly ids: number[];
  /** without special tokens */
  readonly noadd: number[];
  readonly dec: string;
  /** special tokens left out */
  readonly decs: string;
}

interface Case {
  readonly files: Readonly<Record<string, unknown>>;
  /** an error where the reference refuses the files */
  readonly rows: readonly Row[] | { readonly error: string };
}

const file = "fixtures/field/tokenizers.json.gz";
const isHere = hasShared(file);
const cases = isHere
  ? (JSON.parse(gunzipSync(readFileSync(shared(file))).toString()) as Readonly<Record<string, Case>>)
  : {};

function folderOf(files: Case["files"]): ModelFolder {
  const utf8 = new TextEncoder();
  const bytes = ([name, value]: [string, unknown]): [string, Uint8Array] => [
    name,
    utf8.encode(typeof value === "string" ? value : JSON.stringify(value)),
  ];
  return filesFolder(new Map(Object.entries(files).map(bytes)));
}

/** Everything that the reference says of a text, as this tokenizer has it. */
function asRow(tokenizer: Tokenizer, { text, ids }: Row): Row {
  return {
    text,
    ids: tokenizer.encode(text),
    noadd: tokenizer.encode(text, { addSpecialTokens: false }),
    dec: tokenizer.decode(ids),
    decs: tokenizer.decode(ids, { skipSpecialTokens: true }),
  };
}

describe.skipIf(!isHere)(isHere ? "tokenizers of the field" : WITHOUT_SHARED, () => {
  const counts = { right: 0, refused: 0, different: 0 };

  it.each(Object.keys(cases))("%s", async (name) => {
    const { files, rows } = cases[name]!;
    counts.different++;
    let tokenizer: Tokenizer | undefined;
    try {
      tokenizer = await loadTokenizer(folderOf(files));
    } catch (error) {
      if (!(error instanceof UnsupportedError || error instanceof FormatError)) throw error;
      expect(error.message).toMatch(/^[^\n]{20,400}$/);
    }
    if ("error" in rows) expect(tokenizer, `the reference refuses it: ${rows.error}`).toBeUndefined();
    else if (tokenizer) {
      for (const row of rows) {
        expect(asRow(tokenizer, row)).toEqual(row);
        const placed = tokenizer.encodeWithOffsets(row.text);
        expect(placed.ids).toEqual(row.ids);
        expect(await tokenizer.encodeInTurns(row.text)).toEqual(row.ids);
        const decoder = new StreamDecoder(tokenizer);
        expect(row.ids.map((id) => decoder.push(id)).join("") + decoder.finish()).toBe(row.dec);
      }
    }
    counts.different--;
    if (tokenizer || "error" in rows) counts.right++;
    else counts.refused++;
  });

  afterAll(() => {
    console.log(`tokenizers: ${counts.right} right, ${counts.refused} refused, ${counts.different} different`);
  });
  it("none is different, and none is refused", () => {
    expect(counts).toEqual({ right: Object.keys(cases).length, refused: 0, different: 0 });
  });
});
