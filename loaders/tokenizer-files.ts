// The files of a tokenizer -> one tokenizer.json value and its settings. Fills in what older repositories leave to
// code: a tokenizer of vocab.json + merges.txt gets the tokenizer.json that its class stands for.

import { readTemplates, type TemplateTexts } from "./chat-template/template-files.ts";
import { UnsupportedError, FormatError } from "./errors.ts";
import { missingFile, readJson, readText, type ModelFolder } from "./model-folder.ts";

/** The largest real tokenizer.json has about 40 MB. */
const MAX_TOKENIZER_BYTES = 256 * 1024 * 1024;
const MAX_SETTINGS_BYTES = 16 * 1024 * 1024;

type Json = Record<string, unknown>;

/** What a folder says about its tokenizer. */
export interface TokenizerFiles {
  /** The value of tokenizer.json, or of what would stand there. */
  readonly tokenizer: Json;
  /** tokenizer_config.json, or nothing. */
  readonly settings: Json;
  /** Special tokens by role: `bos_token`, `eos_token`, `mask_token`, ... */
  readonly roles: ReadonlyMap<string, string>;
  /** Chat templates in Jinja, by name. */
  readonly chatTemplates: TemplateTexts;
}

/** The split of Qwen2's tokenizer class: contractions, words, single digits, punctuation, line breaks, other space. */
const QWEN2_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = (use_regex: boolean, add_prefix_space: unknown): Json => ({
  type: "ByteLevel",
  add_prefix_space: add_prefix_space === true,
  trim_offsets: false,
  use_regex,
});

/** What each slow tokenizer class does that its files do not say. */
const CLASSES: Readonly<Record<string, (settings: Json) => Json>> = {
  GPT2: (settings) => ({ normalizer: null, pre_tokenizer: byteLevel(true, settings["add_prefix_space"]) }),
  CodeGen: (settings) => ({ normalizer: null, pre_tokenizer: byteLevel(true, settings["add_prefix_space"]) }),
  Qwen2: (settings) => ({
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: QWEN2_SPLIT }, behavior: "Isolated", invert: false },
        byteLevel(false, settings["add_prefix_space"]),
      ],
    },
  }),
};

/** Reads whatever a folder has of a tokenizer. */
export async function readTokenizerFiles(folder: ModelFolder, signal?: AbortSignal): Promise<TokenizerFiles> {
  const optional = async (file: string): Promise<Json> =>
    (await folder.has(file)) ? asObject(file, await readJson(folder, file, MAX_SETTINGS_BYTES, signal)) : {};
  const settings = await optional("tokenizer_config.json");
  const roles = new Map<string, string>();
  for (const source of [await optional("special_tokens_map.json"), settings]) {
    for (const [name, value] of Object.entries(source)) {
      const content = tokenContent(value);
      if (name.endsWith("_token") && content !== undefined) roles.set(name, content);
    }
  }
  const hasTokenizer = await folder.has("tokenizer.json");
  const tokenizer = hasTokenizer
    ? asObject("tokenizer.json", await readJson(folder, "tokenizer.json", MAX_TOKENIZER_BYTES, signal))
    : await fromVocabulary(folder, settings, roles, await optional("added_tokens.json"), signal);
  return {
    tokenizer: { ...tokenizer, added_tokens: addedTokens(tokenizer, settings) },
    settings,
    roles,
    chatTemplates: await readTemplates(folder, settings, signal),
  };
}

/** A special token is written as its text or as an object with it. */
function tokenContent(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null && "content" in value && typeof value.content === "string"
    ? value.content
    : undefined;
}

/** tokenizer.json's added tokens, and those that only tokenizer_config.json has. */
function addedTokens(tokenizer: Json, settings: Json): unknown[] {
  const own = tokenizer["added_tokens"] ?? [];
  if (!Array.isArray(own)) throw new FormatError("tokenizer.json", '"added_tokens" is not a list');
  const list: unknown[] = [...(own as unknown[])];
  const ids = new Set(
    list.map((token) => (typeof token === "object" && token !== null && "id" in token ? token.id : undefined)),
  );
  const further = settings["added_tokens_decoder"];
  if (typeof further !== "object" || further === null) return list;
  for (const [id, token] of Object.entries(further as Json)) {
    if (tokenContent(token) === undefined || typeof token !== "object" || ids.has(Number(id))) continue;
    list.push({
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: false,
      ...token,
      id: Number(id),
    });
  }
  return list;
}

async function fromVocabulary(
  folder: ModelFolder,
  settings: Json,
  roles: ReadonlyMap<string, string>,
  addedIds: Json,
  signal?: AbortSignal,
): Promise<Json> {
  const hasVocabulary = (await folder.has("vocab.json")) && (await folder.has("merges.txt"));
  if (!hasVocabulary) {
    if (await folder.has("tokenizer.model")) {
      throw new UnsupportedError(
        `${folder.name}: has tokenizer.model but no tokenizer.json; make one with transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`,
      );
    }
    throw missingFile(folder.name, "tokenizer.json", await folder.list?.());
  }
  const name = String(settings["tokenizer_class"] ?? "");
  const build = CLASSES[name.replace(/Tokenizer(Fast)?$/, "")];
  if (build === undefined) {
    throw new UnsupportedError(
      `${folder.name}: there is no tokenizer.json, and from vocab.json and merges.txt alone only the classes ` +
        `${Object.keys(CLASSES)
          .map((known) => `${known}Tokenizer`)
          .join(", ")} are known, not ${JSON.stringify(name)}`,
    );
  }
  const vocab = asObject("vocab.json", await readJson(folder, "vocab.json", MAX_TOKENIZER_BYTES, signal));
  const text = await readText(folder, "merges.txt", MAX_TOKENIZER_BYTES, signal);
  const merges = text.split("\n").filter((line, i) => line.trim() !== "" && !(i === 0 && line.startsWith("#version")));
  const special = new Set(roles.values());
  if (name.startsWith("GPT2") || name.startsWith("CodeGen")) special.add("<|endoftext|>");
  const added = Object.entries({ ...pick(vocab, special), ...addedIds }).map(([content, id]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: special.has(content),
  }));
  return {
    added_tokens: added,
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: merges.map((line) => line.trimEnd()),
    },
    ...build(settings),
  };
}

function pick(vocab: Json, names: ReadonlySet<string>): Json {
  return Object.fromEntries([...names].filter((name) => Object.hasOwn(vocab, name)).map((name) => [name, vocab[name]]));
}

function asObject(file: string, json: unknown): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FormatError(file, "is not a JSON object");
  return json as Json;
}

/** GPT-2's split, which a ByteLevel step stands for: contractions, words, numbers, punctuation, white space. */
const BYTE_LEVEL_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function splitBy(pattern: string): Json {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
}

/**
 * The `pre_tokenizer` as the JavaScript library must be given it to split text as the Rust one does. The library's own
 * Digits step knows only 0 to 9, Rust's every numeric character; its ByteLevel step takes JavaScript's idea of white
 * space, which lacks U+0085 and has U+FEFF. Said as a Split by regular expression both come out right.
 */
export function withExactSplits(preTokenizer: unknown): unknown {
  if (typeof preTokenizer !== "object" || preTokenizer === null) return preTokenizer;
  const step = preTokenizer as Json;
  const inner = step["pretokenizers"];
  if (step["type"] === "Sequence" && Array.isArray(inner)) {
    return { ...step, pretokenizers: (inner as unknown[]).map(withExactSplits) };
  }
  if (step["type"] === "Digits") return splitBy(step["individual_digits"] === true ? "\\p{N}" : "\\p{N}+");
  // With a prefix space the order of the two halves would matter, so that rarity is left to the library.
  if (step["type"] === "ByteLevel" && step["use_regex"] !== false && step["add_prefix_space"] === false) {
    return { type: "Sequence", pretokenizers: [splitBy(BYTE_LEVEL_SPLIT), { ...step, use_regex: false }] };
  }
  return preTokenizer;
}
