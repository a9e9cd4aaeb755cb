// Tokenizers that are not written out as a tokenizer.json: a vocabulary, and a class of transformers that says in code how text
// is cut by it. Each class here makes the tokenizer.json that transformers would make of such a folder.

type Json = Readonly<Record<string, unknown>>;

/** What a class makes of a vocabulary. */
export interface TokenizerClass {
  /** Special tokens by role that hold where the files name none. */
  readonly roles: Readonly<Record<string, string>>;
  /** "merges": vocab.json and merges.txt; "words": vocab.txt */
  readonly files: "merges" | "words";
  /** The parts of a tokenizer.json but for the vocabulary, merges and added tokens. */
  parts(settings: Json): Json;
  /** The `post_processor` where `add_bos_token` and `add_eos_token` have no say. */
  postProcessor?(roles: ReadonlyMap<string, string>, idOf: (token: string) => number, settings: Json): Json;
}

/** The split of Qwen2's tokenizer class: contractions, words, single digits, punctuation, line breaks, other space. */
const QWEN2_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = (settings: Json, use_regex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: settings["add_prefix_space"] === true,
  trim_offsets: true,
  use_regex,
});

const BYTE_LEVEL_DECODER: Json = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
const END_OF_TEXT = "<|endoftext|>";

const gpt2: TokenizerClass = {
  roles: { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, unk_token: END_OF_TEXT },
  files: "merges",
  parts: (settings) => ({ pre_tokenizer: byteLevel(settings, true), decoder: BYTE_LEVEL_DECODER }),
};

const gptNeoX: TokenizerClass = {
  ...gpt2,
  roles: { ...gpt2.roles, pad_token: "<|padding|>" },
  parts: (settings) => ({ ...gpt2.parts(settings), normalizer: { type: "NFC" } }),
};

const qwen2: TokenizerClass = {
  roles: { eos_token: END_OF_TEXT, unk_token: END_OF_TEXT, pad_token: END_OF_TEXT },
  files: "merges",
  parts: (settings) => ({
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: QWEN2_SPLIT }, behavior: "Isolated", invert: false },
        byteLevel(settings, false),
      ],
    },
    decoder: BYTE_LEVEL_DECODER,
  }),
};

const roberta: TokenizerClass = {
  ...gpt2,
  roles: {
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    sep_token: "</s>",
    pad_token: "<pad>",
    cls_token: "<s>",
    mask_token: "<mask>",
  },
  postProcessor: (roles, idOf) => ({
    type: "RobertaProcessing",
    cls: [roles.get("cls_token"), idOf(roles.get("cls_token") ?? "")],
    sep: [roles.get("sep_token"), idOf(roles.get("sep_token") ?? "")],
  }),
};

const bert: TokenizerClass = {
  roles: {
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
  },
  files: "words",
  parts: (settings) => ({
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: settings["tokenize_chinese_chars"] ?? true,
      strip_accents: settings["strip_accents"] ?? null,
      lowercase: settings["do_lower_case"] ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  }),
  postProcessor: roberta.postProcessor!,
};

/** Classes by the name that tokenizer_config.json has, without "Tokenizer" and "Fast". */
const CLASSES: Readonly<Record<string, TokenizerClass>> = {
  Bert: bert,
  CodeGen: gpt2,
  DistilBert: bert,
  GPT2: gpt2,
  GPTNeoX: gptNeoX,
  Qwen2: qwen2,
  Roberta: roberta,
};

/** Classes by the `model_type` of config.json, where tokenizer_config.json names none. */
const CLASSES_OF_MODELS: Readonly<Record<string, string>> = {
  bert: "Bert",
  codegen: "GPT2",
  distilbert: "Bert",
  falcon_mamba: "GPTNeoX",
  gpt2: "GPT2",
  gpt_neo: "GPT2",
  gpt_neox: "GPTNeoX",
  gptj: "GPT2",
  mamba: "GPTNeoX",
  mamba2: "GPTNeoX",
  mpt: "GPTNeoX",
  olmo: "GPTNeoX",
  olmoe: "GPTNeoX",
  opt: "GPT2",
  phi: "GPT2",
  qwen2: "Qwen2",
  qwen2_moe: "Qwen2",
  qwen3: "Qwen2",
  qwen3_moe: "Qwen2",
  roberta: "Roberta",
  starcoder2: "GPT2",
};

/** The names of the classes that are known. */
export const KNOWN_CLASSES: readonly string[] = Object.keys(CLASSES).map((name) => `${name}Tokenizer`);

const own = (record: Readonly<Record<string, unknown>>, key: unknown): key is string =>
  typeof key === "string" && Object.hasOwn(record, key);

/** The class of a folder; undefined if it is not known. */
export function tokenizerClass(tokenizerClassName: unknown, modelType: unknown): TokenizerClass | undefined {
  if (typeof tokenizerClassName === "string") {
    const name = tokenizerClassName.replace(/Tokenizer(Fast)?$/, "");
    return own(CLASSES, name) ? CLASSES[name] : undefined;
  }
  return own(CLASSES_OF_MODELS, modelType) ? CLASSES[CLASSES_OF_MODELS[modelType]!] : undefined;
}
