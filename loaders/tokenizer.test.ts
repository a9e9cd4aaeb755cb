import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "./errors.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { localFolder } from "./local-folder.ts";
import { filesFolder } from "./model-folder.ts";
import { StreamDecoder } from "./token-decoder.ts";
import type { Tokenizer } from "./tokenizer.ts";

function folderOf(files: Record<string, unknown>): ReturnType<typeof filesFolder> {
  const encoder = new TextEncoder();
  return filesFolder(
    new Map(
      Object.entries(files).map(([name, value]) => [
        name,
        encoder.encode(typeof value === "string" ? value : JSON.stringify(value)),
      ]),
    ),
  );
}

/** A whole stream, token by token. */
function streamed(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens = false): string {
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens });
  return ids.map((id) => decoder.push(id)).join("") + decoder.finish();
}

describe("the model that ships", () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(localFolder("models/kedge-js-5m"));
  });

  it("has its special tokens by role", () => {
    expect(tokenizer).toMatchObject({
      vocabSize: 1024,
      eosTokenId: 0,
      maskTokenId: 1,
      padTokenId: 2,
      bosTokenId: null,
      unkTokenId: null,
      chatTemplate: undefined,
    });
    expect([...tokenizer.specialTokenIds].sort()).toEqual([0, 1, 2]);
    expect([tokenizer.idToToken(0), tokenizer.tokenToId("<|mask|>")]).toEqual(["<|endoftext|>", 1]);
    expect([tokenizer.idToToken(5000), tokenizer.tokenToId("no such token")]).toEqual([undefined, undefined]);
  });

  // What the Rust library gives: the JavaScript one by itself gives otherwise for each of these.
  it.each([
    ["a line break of its own kind (U+0085) is white space", "<unk>  \u0085", [30, 279, 77, 32, 358, 129, 230]],
    ["a byte order mark is none", "\ufeffa  \ufeff", [174, 122, 126, 67, 223, 223, 174, 122, 126]],
    ["numerals beyond 0-9 stand alone", "1\u00bd\u2167", [19, 129, 124, 161, 230, 103]],
  ])("%s", (_name, text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("gives every text back, and streams it in pieces that never split a character", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.string());
    fc.assert(
      fc.property(
        text.filter((t) => t.isWellFormed()),
        (t) => {
          const ids = tokenizer.encode(t);
          expect(tokenizer.decode(ids)).toBe(t);
          const decoder = new StreamDecoder(tokenizer);
          const pieces = [...ids.map((id) => decoder.push(id)), decoder.finish()];
          expect(pieces.join("")).toBe(t);
          expect(
            pieces.every((piece) => piece.isWellFormed() && !(piece.includes("\ufffd") && !t.includes("\ufffd"))),
          ).toBe(true);
          expect(pieces.at(-1)).toBe("");
        },
      ),
      { numRuns: 500 },
    );
  });

  it("streams any ids to exactly what decode says, with special tokens or without", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 1030 })), fc.boolean(), (ids, skipSpecialTokens) => {
        expect(streamed(tokenizer, ids, skipSpecialTokens)).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
      }),
      { numRuns: 500 },
    );
  });

  it("holds a character back until its last byte", () => {
    const ids = tokenizer.encode("\u{1f600}");
    expect(ids.length).toBeGreaterThan(1);
    const decoder = new StreamDecoder(tokenizer);
    expect(ids.map((id) => decoder.push(id))).toEqual([...ids.slice(1).map(() => ""), "\u{1f600}"]);
    decoder.push(ids[0] ?? 0);
    expect(decoder.finish()).toBe("\ufffd");
    expect(ids.map((id) => decoder.push(id)).join("")).toBe("\u{1f600}");
  });

  it("has each token's bytes: those of all tokens together are the text's", () => {
    const text = "const \u00e9\u{1f600} = 1;\n";
    const bytes = tokenizer.encode(text).flatMap((id) => [...tokenizer.tokenBytes(id)]);
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(text);
    expect(tokenizer.tokenBytes(99_999).length).toBe(0);
  });

  it("encodes a long text in turns, between which timers fire, and stops when it is told to", async () => {
    const text = "for (const item of items) sum += item.price * 3;\n".repeat(20_000);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const ids = await tokenizer.encodeInTurns(text);
    clearInterval(timer);
    expect(ids).toEqual(tokenizer.encode(text));
    expect(ticks).toBeGreaterThan(3);
    const stop = new AbortController();
    const stopped = tokenizer.encodeInTurns(text, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
  });

  it("has no chat template, and says so", () => {
    expect(() => tokenizer.applyChatTemplate([{ role: "user", content: "hi" }])).toThrow(UnsupportedError);
    expect(() => tokenizer.applyChatTemplate([{ role: "user", content: "hi" }])).toThrow("has no chat template");
  });
});

/** A sentencepiece-like tokenizer with byte fallback, as small as can be. */
const pieces = [
  "<unk>",
  "<s>",
  "</s>",
  ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`),
  "\u2581",
  "a",
  "b",
  "\u2581a",
  "ab",
];
const byteFallback = {
  added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "\u2581" },
      { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    ],
  },
  pre_tokenizer: null,
  post_processor: null,
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "\u2581" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
  },
  model: {
    type: "BPE",
    unk_token: "<unk>",
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(pieces.map((piece, i) => [piece, i])),
    merges: ["\u2581 a", "a b"],
  },
};

describe("sentencepiece with byte fallback", () => {
  it("gives texts back through their bytes, without the space it put before them", async () => {
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": byteFallback }));
    for (const text of ["a", " a", "  ab b", "caf\u00e9 \u{1f600}", "\ufeff"]) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(streamed(tokenizer, ids)).toBe(text);
    }
    const [smile] = [tokenizer.encode("\u{1f600}").slice(1)];
    expect(smile?.map((id) => [...tokenizer.tokenBytes(id)])).toEqual([[0xf0], [0x9f], [0x98], [0x80]]);
    expect(tokenizer.unkTokenId).toBe(0);
  });

  it("strips one space at the text's beginning only, special tokens counted or not", async () => {
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": byteFallback }));
    const a = tokenizer.tokenToId("\u2581a") ?? -1;
    expect(tokenizer.decode([a, a])).toBe("a a");
    expect(tokenizer.decode([1, a, 2])).toBe("<s> a</s>");
    expect(tokenizer.decode([1, a, 2], { skipSpecialTokens: true })).toBe("a");
    fc.assert(
      fc.property(fc.array(fc.nat({ max: pieces.length })), fc.boolean(), (ids, skipSpecialTokens) => {
        expect(streamed(tokenizer, ids, skipSpecialTokens)).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
      }),
    );
  });
});

const vocab = Object.fromEntries([..."abcdefghijklmnopqrstuvwxyz\u0120!", "ab"].map((piece, i) => [piece, i]));

describe("folders of other kinds", () => {
  it("vocab.json and merges.txt of a known class", async () => {
    const settings = {
      tokenizer_class: "Qwen2TokenizerFast",
      eos_token: { content: "<|im_end|>" },
      unk_token: null,
      pad_token: null,
      added_tokens_decoder: { 40: { content: "<|im_end|>", special: true } },
    };
    const files = { "vocab.json": vocab, "merges.txt": "#version: 0.2\na b\n", "tokenizer_config.json": settings };
    const tokenizer = await loadTokenizer(folderOf(files));
    // The Rust library gives added tokens the next ids, whatever the file says.
    expect(tokenizer.encode("ab b<|im_end|>")).toEqual([28, 26, 1, 29]);
    expect(tokenizer).toMatchObject({ eosTokenId: 29, vocabSize: 30 });
    expect(tokenizer.decode([28, 26, 1, 29], { skipSpecialTokens: true })).toBe("ab b");
    // An added token is decoded as bytes where its characters all stand for some, as in the Rust library.
    const accented = { ...settings, added_tokens_decoder: { 40: { content: "\u00e9!", special: false } } };
    const other = await loadTokenizer(folderOf({ ...files, "tokenizer_config.json": accented }));
    expect(other.decode(other.encode("ab\u00e9!b"))).toBe("ab\ufffd!b");
    const unknown = { ...files, "tokenizer_config.json": { tokenizer_class: "XlnetTokenizer" } };
    await expect(loadTokenizer(folderOf(unknown))).rejects.toThrow(
      'from vocab.json and merges.txt alone only the classes BertTokenizer, CodeGenTokenizer, DistilBertTokenizer, GPT2Tokenizer, GPTNeoXTokenizer, Qwen2Tokenizer, RobertaTokenizer are known, not "XlnetTokenizer"',
    );
  });

  // What transformers 5.24 gives for these folders.
  const withEnd = { ...vocab, "<|endoftext|>": 29 };
  const merges = "#version: 0.2\na b\n";
  const gpt2 = (settings: object, files: object = {}): Record<string, unknown> => ({
    "vocab.json": withEnd,
    "merges.txt": merges,
    "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer", ...settings },
    ...files,
  });
  const roberta = Object.fromEntries([
    ...["<s>", "<pad>", "</s>", "<unk>", "<mask>"].map((token, i) => [token, i]),
    ...Object.entries(vocab).map(([token, id]) => [token, id + 5]),
  ]) as Record<string, number>;
  const words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\nab\n,\n";
  it.each<[string, Record<string, unknown>, string, number[], string]>([
    [
      "GPT-2 without its end in the vocabulary",
      gpt2({}, { "vocab.json": vocab }),
      "ab b<|endoftext|>",
      [28, 26, 1, 29],
      "ab b<|endoftext|>",
    ],
    ["add_bos_token", gpt2({ add_bos_token: true }), "ab b", [29, 28, 26, 1], "<|endoftext|>ab b"],
    [
      "add_eos_token",
      gpt2({ add_bos_token: true, add_eos_token: true }),
      "ab b",
      [29, 28, 26, 1, 29],
      "<|endoftext|>ab b<|endoftext|>",
    ],
    ["add_prefix_space", gpt2({ add_prefix_space: true }), "ab b", [26, 28, 26, 1], " ab b"],
    ["a character without a token", gpt2({}), "  ab!\u00e9", [26, 26, 28, 27], "  ab!"],
    [
      "the class by model_type",
      { "vocab.json": withEnd, "merges.txt": merges, "config.json": { model_type: "gpt_neo" } },
      "ab b<|endoftext|>",
      [28, 26, 1, 29],
      "ab b<|endoftext|>",
    ],
    ["added_tokens.json", gpt2({}, { "added_tokens.json": { "<x>": 30 } }), "ab<x>b", [28, 30, 1], "ab<x>b"],
    [
      "special_tokens_map.json",
      gpt2({}, { "special_tokens_map.json": { bos_token: "<x>", additional_special_tokens: ["<y>"] } }),
      "ab<x>b<y>",
      [28, 30, 1, 31],
      "ab<x>b<y>",
    ],
    [
      "Roberta",
      { "vocab.json": roberta, "merges.txt": merges, "tokenizer_config.json": { tokenizer_class: "RobertaTokenizer" } },
      "a <mask> b",
      [0, 5, 31, 4, 31, 6, 2],
      "<s>a <mask> b</s>",
    ],
    [
      "Bert",
      { "vocab.txt": words, "tokenizer_config.json": { tokenizer_class: "BertTokenizer" } },
      "AB ab, x",
      [2, 8, 8, 9, 1, 3],
      "[CLS] ab ab, [UNK] [SEP]",
    ],
    [
      "Bert with capitals",
      { "vocab.txt": words, "tokenizer_config.json": { tokenizer_class: "BertTokenizer", do_lower_case: false } },
      "AB ab",
      [2, 1, 8, 3],
      "[CLS] [UNK] ab [SEP]",
    ],
  ])("%s", async (_name, files, text, ids, decoded) => {
    const tokenizer = await loadTokenizer(folderOf(files));
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(streamed(tokenizer, ids)).toBe(decoded);
  });

  it("say what is missing or wrong", async () => {
    await expect(loadTokenizer(folderOf({ "config.json": {} }))).rejects.toThrow(
      "there is no tokenizer.json; the folder has config.json",
    );
    await expect(loadTokenizer(folderOf({ "tokenizer.model": "x" }))).rejects.toThrow(
      "has tokenizer.model but no tokenizer.json",
    );
    await expect(loadTokenizer(folderOf({ "tokenizer.json": "{" }))).rejects.toThrow("tokenizer.json: is not JSON");
    await expect(loadTokenizer(folderOf({ "tokenizer.json": "[]" }))).rejects.toThrow("is not a JSON object");
    await expect(loadTokenizer(folderOf({ "tokenizer.json": {} }))).rejects.toThrow(FormatError);
    await expect(loadTokenizer(folderOf({ "tokenizer.json": { ...byteFallback, model: null } }))).rejects.toThrow(
      FormatError,
    );
    const strange = { ...byteFallback, pre_tokenizer: { type: "Strange" } };
    await expect(loadTokenizer(folderOf({ "tokenizer.json": strange }))).rejects.toThrow(UnsupportedError);
    const wordPiece = { ...byteFallback, decoder: { type: "WordPiece" } };
    await expect(loadTokenizer(folderOf({ "tokenizer.json": wordPiece }))).rejects.toThrow(
      'tokenizer.json: the "prefix" of its decoder is nothing, not a text',
    );
    const unknown = { ...byteFallback, decoder: { type: "Words" } };
    await expect(loadTokenizer(folderOf({ "tokenizer.json": unknown }))).rejects.toThrow(
      'tokenizer.json: its decoder "Words" is not known; known are BPEDecoder, ByteFallback',
    );
  });
});

const loadWithTemplate = (chat_template: string): Promise<Tokenizer> =>
  loadTokenizer(folderOf({ "tokenizer.json": byteFallback, "tokenizer_config.json": { chat_template } }));

describe("chat templates", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
  ];
  const template =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[{{ name }}]{% endif %}";
  const settings = { bos_token: "<s>", chat_template: template };

  it.each<[string, Record<string, unknown>]>([
    ["tokenizer_config.json", { "tokenizer_config.json": settings }],
    [
      "a list of them",
      {
        "tokenizer_config.json": {
          ...settings,
          chat_template: [
            { name: "tool_use", template: "no" },
            { name: "default", template },
          ],
        },
      },
    ],
    [
      "chat_template.jinja, before the setting",
      { "chat_template.jinja": template, "tokenizer_config.json": { ...settings, chat_template: "no" } },
    ],
    [
      "chat_template.json",
      {
        "chat_template.json": { chat_template: template },
        "special_tokens_map.json": { bos_token: { content: "<s>" } },
      },
    ],
  ])("from %s", async (_name, files) => {
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": byteFallback, ...files }));
    expect(tokenizer.applyChatTemplate(messages, { name: "bot" })).toBe("<s>[system] Be brief.\n[user] Hi\n[bot]");
    expect(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: false })).toBe(
      "<s>[system] Be brief.\n[user] Hi\n",
    );
  });

  it("that refuse a chat, or are broken, say why", async () => {
    const refusing = await loadWithTemplate("{{ raise_exception('roles must alternate') }}");
    expect(() => refusing.applyChatTemplate(messages)).toThrow(FormatError);
    expect(() => refusing.applyChatTemplate(messages)).toThrow("its chat template failed: roles must alternate");
    const broken = await loadWithTemplate("{% if %}");
    expect(() => broken.applyChatTemplate(messages)).toThrow("its chat template failed");
  });
});
