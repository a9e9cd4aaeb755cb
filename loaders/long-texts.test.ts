// Long texts are cut into tokens with pauses: each kind of normalizer, pre-tokenizer and model, into the tokens of its parts, with a
// bounded piece of work between two pauses.

import { describe, expect, it } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";
import { filesFolder } from "./model-folder.ts";
import { AddedTokens } from "./tokenizer/added-tokens.ts";
import { smallVocabulary } from "./tokenizer/model.ts";
import { readPipeline } from "./tokenizer/pipeline.ts";

const pieces = ["<unk>", "\u2581", "\u0120", ..."abcdefghijklmnopqrstuvwxyz.", "\u00e4", "\u4e00", "th", "the"];
const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
const merges = ["t h", "th e"];
const bpe = { type: "BPE", unk_token: "<unk>", vocab, merges };
const unigram = { type: "Unigram", unk_id: 0, vocab: pieces.map((piece, id) => [piece, -id]) };
const added = ["<a>", "<b>"].map((content, i) => ({
  id: 900 + i,
  content,
  single_word: false,
  lstrip: false,
  rstrip: i > 0,
  normalized: i > 0,
  special: false,
}));
const metaspace = (split: boolean) => ({ type: "Metaspace", replacement: "\u2581", prepend_scheme: "never", split });
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const normalizers = (...all: object[]) => ({ type: "Sequence", normalizers: all });
const bert = { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null };

/** A text that begins and ends at a cut of each of these tokenizers, so that n of them have n times its tokens. */
const PERIOD = "The \u00c4pfel, e\u0301t\u00e9 \u4e00\u4e8c \uff21\uff22 <a> the  end.<b> \n";
/** Most code units that one pause may be for. */
const MOST_UNITS = 70_000;

const kinds: Readonly<Record<string, object>> = {
  "byte-level BPE": { model: bpe, pre_tokenizer: byteLevel },
  "BPE of one word": { model: { ...bpe, fuse_unk: false } },
  "Unigram of one word": { model: unigram, pre_tokenizer: metaspace(false) },
  "Unigram in words": { model: unigram, pre_tokenizer: metaspace(true) },
  "Lowercase and NFC": {
    model: bpe,
    normalizer: normalizers({ type: "Lowercase" }, { type: "NFC" }),
    pre_tokenizer: { type: "Whitespace" },
  },
  "NFKD, StripAccents": { model: bpe, normalizer: normalizers({ type: "NFKD" }, { type: "StripAccents" }) },
  Bert: { model: bpe, normalizer: { ...bert, lowercase: true }, pre_tokenizer: { type: "BertPreTokenizer" } },
  "Replace a pattern": { model: bpe, normalizer: { type: "Replace", pattern: { Regex: " +" }, content: "\u2581" } },
  "Replace a space": { model: bpe, normalizer: { type: "Replace", pattern: { String: " " }, content: "\u2581" } },
  UnicodeScripts: { model: bpe, pre_tokenizer: { type: "UnicodeScripts" } },
  "a pattern with MergedWithNext": {
    model: bpe,
    pre_tokenizer: { type: "Split", pattern: { Regex: "\\s" }, behavior: "MergedWithNext", invert: false },
  },
  "added tokens": { model: bpe, pre_tokenizer: byteLevel, added_tokens: added },
};

describe.each(Object.entries(kinds))("a long text: %s", (_name, parts) => {
  const times = 3000;
  const text = PERIOD.repeat(times);

  it("has the tokens of its parts, with pauses", async () => {
    const json = { version: "1.0", model: bpe, added_tokens: [], decoder: null, ...parts };
    const pipeline = await readPipeline(json);
    const work = pipeline.encode(text, { addSpecialTokens: false, withPlaces: false });
    let pauses = 0;
    let step = work.next();
    for (; !step.done; step = work.next()) pauses++;
    expect(pauses).toBeGreaterThan(text.length / MOST_UNITS);
    const { ids } = step.value;
    const some = (count: number) => {
      const few = pipeline.encode(PERIOD.repeat(count), { addSpecialTokens: false, withPlaces: true });
      for (;;) {
        const next = few.next();
        if (next.done) return next.value;
      }
    };
    // The first period may differ from those that follow.
    const [one, two, three] = [some(1), some(2), some(3)];
    const own = two.ids.slice(one.ids.length);
    expect(three.ids.slice(two.ids.length)).toEqual(own);
    expect(ids.length).toBe(one.ids.length + (times - 1) * own.length);
    expect(ids.slice(0, two.ids.length)).toEqual(two.ids);
    expect(ids.slice(-own.length)).toEqual(own);

    const tokenizer = await loadTokenizer(
      filesFolder(new Map([["tokenizer.json", new TextEncoder().encode(JSON.stringify(json))]])),
    );
    const placed = await tokenizer.encodeWithOffsetsInTurns(text, { addSpecialTokens: false });
    expect(placed.ids).toEqual(ids);
    const moved = three.begins.slice(two.ids.length).map((begin) => begin + (times - 3) * PERIOD.length);
    expect(placed.offsets.slice(-own.length).map(({ begin }) => begin)).toEqual(moved);
  });
});

it("a run that is too long for JavaScript's engine is one word", async () => {
  const { encodeInTurns } = await loadTokenizer(
    filesFolder(
      new Map([["tokenizer.json", new TextEncoder().encode(JSON.stringify({ model: bpe, pre_tokenizer: byteLevel }))]]),
    ),
  );
  const ids = await encodeInTurns(`${"the".repeat(60_000)} a`);
  expect(ids.slice(-3)).toEqual([vocab["the"], vocab["\u0120"], vocab["a"]]);
  expect(ids.length).toBe(60_002);
});

it("added tokens are found in any number", () => {
  const tokens = new AddedTokens(added, smallVocabulary(new Map(), []), undefined);
  const work = tokens.split("<b>".repeat(200_000));
  let pauses = 0;
  let step = work.next();
  for (; !step.done; step = work.next()) pauses++;
  expect(step.value.length).toBe(200_000);
  expect(pauses).toBeGreaterThan(600_000 / MOST_UNITS);
});
