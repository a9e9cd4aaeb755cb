// The works whose waits `npm run bench waits` measures: files and texts far longer than usual ones, made here.

import { filesFolder, loadTokenizer, openWeights, type ModelFolder, type Tokenizer } from "kedge/loaders";

/** A work that other work of the thread waits for. */
export interface WaitCase {
  readonly what: string;
  /** Makes what is needed; the work that it gives is measured. */
  readonly prepare: () => Promise<() => Promise<unknown>>;
}

const utf8 = new TextEncoder();

function folderOf(files: Readonly<Record<string, string | Uint8Array>>): ModelFolder {
  const bytes = Object.entries(files).map(
    ([name, data]) => [name, typeof data === "string" ? utf8.encode(data) : data] as const,
  );
  return filesFolder(new Map(bytes));
}

/** The i-th of many different words of lower-case letters. */
function wordOf(i: number): string {
  let word = "";
  for (let rest = i * 2_654_435_761 + 7_919; rest >= 1; rest = Math.floor(rest / 26)) {
    word += String.fromCharCode(97 + (rest % 26));
  }
  return word;
}

const words = (count: number): string[] => Array.from({ length: count }, (_, i) => wordOf(i));

/** Opens a tokenizer of such files; what it gives is asked for one token. */
async function opening(files: Readonly<Record<string, string>>): Promise<() => Promise<unknown>> {
  const folder = folderOf(files);
  return async () => (await loadTokenizer(folder)).vocabSize;
}

function vocabularyOf(tokens: readonly string[]): string {
  return `{${tokens.map((token, id) => `${JSON.stringify(token)}:${id}`).join()}}`;
}

/** A byte-pair vocabulary of single bytes and of `count` tokens, each made of the one before and a letter. */
function bytePairs(count: number): { vocab: string; merges: string[] } {
  const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i));
  const tokens = [...letters];
  const merges: string[] = [];
  for (let i = 0; merges.length < count; i++) {
    const left = tokens[i]!;
    for (const letter of letters) {
      if (merges.length === count) break;
      tokens.push(left + letter);
      merges.push(`${left} ${letter}`);
    }
  }
  return { vocab: vocabularyOf(tokens), merges };
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/** A tokenizer of letters and a few pairs, with such a normalizer and pre-tokenizer. */
async function smallTokenizer(parts: object, kind: "BPE" | "Unigram" = "BPE"): Promise<Tokenizer> {
  const pieces = [
    "<unk>",
    "\u2581",
    "\u0120",
    ..."abcdefghijklmnopqrstuvwxyz",
    "\u4e00",
    "th",
    "he",
    "the",
    "in",
    "er",
  ];
  const model =
    kind === "BPE"
      ? {
          type: "BPE",
          unk_token: "<unk>",
          vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
          merges: ["t h", "h e", "th e", "i n", "e r"],
        }
      : { type: "Unigram", unk_id: 0, vocab: pieces.map((piece, id) => [piece, -id]) };
  return loadTokenizer(folderOf({ "tokenizer.json": JSON.stringify({ model, ...parts }) }));
}

const PROSE = "The quick brown fox jumps over the lazy dog, again and again; it is 42 years old. ";
const prose = (length: number): string => PROSE.repeat(Math.ceil(length / PROSE.length)).slice(0, length);
const unbroken = (length: number): string =>
  "thequickbrownfoxjumpsoverthelazydog".repeat(Math.ceil(length / 35)).slice(0, length);
const foreign = (length: number): string =>
  "\u00c4pfel \u4e00\u4e8c\u4e09 e\u0301t\u00e9 \uff21\uff22 ".repeat(Math.ceil(length / 18)).slice(0, length);

function cutting(make: () => Promise<Tokenizer>, makeText: () => string): WaitCase["prepare"] {
  return async () => {
    const [tokenizer, text] = [await make(), makeText()];
    return async () => (await tokenizer.encodeInTurns(text)).length;
  };
}

const added = Array.from({ length: 200 }, (_, i) => ({
  id: 1000 + i,
  content: `<|mark ${i}|>`,
  single_word: false,
  lstrip: false,
  rstrip: true,
  normalized: i % 2 === 0,
  special: false,
}));

const MB = 1_000_000;
const TOKENS = 2 * MB;

/** The works by name. */
export const WAIT_CASES: Readonly<Record<string, WaitCase>> = {
  words: {
    what: "open 2 M words (WordLevel)",
    prepare: () =>
      opening({
        "tokenizer.json": `{"model":{"type":"WordLevel","unk_token":"<unk>","vocab":${vocabularyOf(["<unk>", ...words(TOKENS)])}}}`,
      }),
  },
  pairs: {
    what: "open 1 M tokens and 1 M merges (BPE)",
    prepare: () => {
      const { vocab, merges } = bytePairs(MB);
      return opening({
        "tokenizer.json": `{"model":{"type":"BPE","vocab":${vocab},"merges":${JSON.stringify(merges)}}}`,
      });
    },
  },
  "pairs-of-two": {
    what: "open 1 M tokens and 1 M merges in pairs (BPE)",
    prepare: () => {
      const { vocab, merges } = bytePairs(MB);
      const pairs = merges.map((merge) => merge.split(" "));
      return opening({
        "tokenizer.json": `{"model":{"type":"BPE","vocab":${vocab},"merges":${JSON.stringify(pairs)}}}`,
      });
    },
  },
  "vocab-and-merges": {
    what: "open vocab.json and merges.txt of 1 M",
    prepare: () => {
      const { vocab, merges } = bytePairs(MB);
      return opening({
        "vocab.json": vocab,
        "merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
        "tokenizer_config.json": '{"tokenizer_class":"GPT2Tokenizer"}',
      });
    },
  },
  "vocab-txt": {
    what: "open a vocab.txt of 2 M (WordPiece)",
    prepare: () =>
      opening({
        "vocab.txt": ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", ...words(TOKENS)].join("\n"),
        "tokenizer_config.json": '{"tokenizer_class":"BertTokenizer"}',
      }),
  },
  scores: {
    what: "open 2 M scored tokens (Unigram)",
    prepare: () =>
      opening({
        "tokenizer.json": `{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],${words(TOKENS)
          .map((word, i) => `["${word}",${-(i % 1000) / 7}]`)
          .join()}]}}`,
      }),
  },
  header: {
    what: "open 1 M tensors",
    prepare: async () => {
      const header = `{${Array.from({ length: MB }, (_, i) => `"t${i}":{"dtype":"F32","shape":[1],"data_offsets":[${4 * i},${4 * i + 4}]}`).join()}}`;
      const bytes = new Uint8Array(8 + header.length + 4 * MB);
      new DataView(bytes.buffer).setUint32(0, header.length, true);
      bytes.set(utf8.encode(header), 8);
      const folder = folderOf({ "model.safetensors": bytes });
      return async () => (await openWeights(folder)).tensors.size;
    },
  },
  "prose-bytes": {
    what: "cut 10 MB of prose (byte-level BPE)",
    prepare: cutting(
      () => smallTokenizer({ pre_tokenizer: byteLevel }),
      () => prose(10 * MB),
    ),
  },
  "one-word": {
    what: "cut 10 MB without spaces (byte-level BPE)",
    prepare: cutting(
      () => smallTokenizer({ pre_tokenizer: byteLevel }),
      () => unbroken(10 * MB),
    ),
  },
  "one-piece": {
    what: "cut 1 MB as one word (Unigram, Metaspace without split)",
    prepare: cutting(
      () =>
        smallTokenizer(
          { pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: false } },
          "Unigram",
        ),
      () => prose(MB),
    ),
  },
  "one-piece-long": {
    what: "cut 10 MB as one word (Unigram, Metaspace without split)",
    prepare: cutting(
      () =>
        smallTokenizer(
          { pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: false } },
          "Unigram",
        ),
      () => prose(10 * MB),
    ),
  },
  metaspace: {
    what: "cut 10 MB of prose (Unigram, Metaspace)",
    prepare: cutting(
      () =>
        smallTokenizer(
          { pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" } },
          "Unigram",
        ),
      () => prose(10 * MB),
    ),
  },
  llama: {
    what: "cut 10 MB of prose (BPE, Prepend and Replace)",
    prepare: cutting(
      () =>
        smallTokenizer({
          normalizer: {
            type: "Sequence",
            normalizers: [
              { type: "Prepend", prepend: "\u2581" },
              { type: "Replace", pattern: { String: " " }, content: "\u2581" },
            ],
          },
        }),
      () => prose(10 * MB),
    ),
  },
  lowercase: {
    what: "lower 10 MB of foreign text",
    prepare: cutting(
      () => smallTokenizer({ normalizer: { type: "Lowercase" }, pre_tokenizer: { type: "Whitespace" } }),
      () => foreign(10 * MB),
    ),
  },
  bert: {
    what: "normalize 10 MB of foreign text (Bert)",
    prepare: cutting(
      () =>
        smallTokenizer({
          normalizer: {
            type: "BertNormalizer",
            clean_text: true,
            handle_chinese_chars: true,
            strip_accents: null,
            lowercase: true,
          },
          pre_tokenizer: { type: "BertPreTokenizer" },
        }),
      () => foreign(10 * MB),
    ),
  },
  nfkc: {
    what: "normalize 10 MB of foreign text (NFKC)",
    prepare: cutting(
      () => smallTokenizer({ normalizer: { type: "NFKC" }, pre_tokenizer: byteLevel }),
      () => foreign(10 * MB),
    ),
  },
  added: {
    what: "find 200 added tokens in 10 MB",
    prepare: cutting(
      () => smallTokenizer({ pre_tokenizer: byteLevel, added_tokens: added }),
      () => `${prose(900)}<|mark 7|>  <|mark 8|>`.repeat(11_000),
    ),
  },
  dense: {
    what: "find 400,000 added tokens in 4 MB",
    prepare: cutting(
      () => smallTokenizer({ pre_tokenizer: byteLevel, added_tokens: added }),
      () => "<|mark 7|>".repeat(400_000),
    ),
  },
};
