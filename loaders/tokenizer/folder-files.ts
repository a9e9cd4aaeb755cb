// The files of a tokenizer -> one tokenizer.json value and its settings, as transformers puts them together. Fills in what older
// repositories leave to code: a vocabulary without a tokenizer.json gets the one that its class stands for.

import { readTemplates, type TemplateTexts } from "../chat-template/template-files.ts";
import { UnsupportedError, FormatError } from "../errors.ts";
import { LargeObject } from "../large-object.ts";
import { LargeItems } from "../large-table.ts";
import { missingFile, readJson, readLargeJson, readLines, type ModelFolder } from "../model-folder.ts";
import { KNOWN_CLASSES, tokenizerClass } from "./classes.ts";

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

/** The roles of special tokens, in the order in which transformers adds them. */
const ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** An entry of `added_tokens`. */
interface Added extends Json {
  readonly content: string;
}

/** Reads whatever a folder has of a tokenizer. */
export async function readTokenizerFiles(folder: ModelFolder, signal?: AbortSignal): Promise<TokenizerFiles> {
  const optional = async (file: string): Promise<Json> =>
    (await folder.has(file)) ? asObject(file, await readJson(folder, file, MAX_SETTINGS_BYTES, signal)) : {};
  const settings = await optional("tokenizer_config.json");
  const named = [await optional("special_tokens_map.json"), settings];
  const roles = new Map<string, string>();
  for (const source of named) {
    for (const [name, value] of Object.entries(source)) {
      const content = tokenContent(value);
      if (name.endsWith("_token") && content !== undefined) roles.set(name, content);
    }
  }
  const further = await furtherTokens(settings, () => optional("added_tokens.json"), roles);
  const roleTokens = ROLES.flatMap((role) => named.map((source) => source[role])).concat(
    named.flatMap((source) => [source["additional_special_tokens"], source["extra_special_tokens"]].flat()),
  );
  const tokenizer = (await folder.has("tokenizer.json"))
    ? asObject(
        "tokenizer.json",
        await readLargeJson(folder, "tokenizer.json", MAX_TOKENIZER_BYTES, signal, isVocabulary),
      )
    : await fromVocabulary({ folder, settings, roles, optional, ...(signal && { signal }) });
  const own = tokenizer["added_tokens"] ?? [];
  if (!Array.isArray(own)) throw new FormatError("tokenizer.json", '"added_tokens" is not a list');
  const classRoles = ROLES.flatMap((role) => roles.get(role) ?? []);
  return {
    tokenizer: { ...tokenizer, added_tokens: addedTokens(own as unknown[], further, [...classRoles, ...roleTokens]) },
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

/** Tokens that tokenizer_config.json adds, by ascending id, or older: added_tokens.json. */
async function furtherTokens(
  settings: Json,
  older: () => Promise<Json>,
  roles: ReadonlyMap<string, string>,
): Promise<Added[]> {
  const plain = { single_word: false, lstrip: false, rstrip: false };
  const byId = settings["added_tokens_decoder"];
  if (typeof byId === "object" && byId !== null) {
    return Object.entries(byId as Json)
      .sort(([a], [b]) => Number(a) - Number(b))
      .flatMap(([, token]): Added[] => {
        const content = tokenContent(token);
        if (content === undefined || typeof token !== "object") return [];
        const { special = false } = token as Json;
        return [{ ...plain, normalized: special !== true, special, ...token, content }];
      });
  }
  const specials = new Set(roles.values());
  return Object.entries(await older())
    .sort(([, a], [, b]) => Number(a) - Number(b))
    .map(([content]) => {
      const special = specials.has(content);
      return { ...plain, normalized: !special, special, content };
    });
}

/** All added tokens: those of tokenizer.json, those of other files, and special ones that none of them has. */
function addedTokens(own: readonly unknown[], further: readonly Added[], special: readonly unknown[]): unknown[] {
  const all: unknown[] = [...own];
  const places = new Map(own.map((token, i) => [tokenContent(token), i] as const));
  for (const token of further) {
    const place = places.get(token.content);
    if (place === undefined) {
      places.set(token.content, all.length);
      all.push(token);
    }
  }
  for (const token of special) {
    const content = tokenContent(token);
    if (content === undefined || content === "") continue;
    const place = places.get(content);
    if (place === undefined) {
      places.set(content, all.length);
      const flags = typeof token === "object" ? (token as Json) : {};
      const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
      all.push({ ...plain, ...flags, content, special: true });
    } else all[place] = { ...(all[place] as Json), special: true };
  }
  return all;
}

interface VocabularyFolder {
  readonly folder: ModelFolder;
  readonly settings: Json;
  /** gets the special tokens that the class has where the files name none */
  readonly roles: Map<string, string>;
  readonly optional: (file: string) => Promise<Json>;
  readonly signal?: AbortSignal;
}

async function fromVocabulary({ folder, settings, roles, optional, signal }: VocabularyFolder): Promise<Json> {
  const hasMerges = (await folder.has("vocab.json")) && (await folder.has("merges.txt"));
  const hasWords = await folder.has("vocab.txt");
  if (!hasMerges && !hasWords) {
    if (await folder.has("tokenizer.model")) {
      throw new UnsupportedError(
        `${folder.name}: has tokenizer.model but no tokenizer.json; make one with transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`,
      );
    }
    throw missingFile(folder.name, "tokenizer.json", await folder.list?.());
  }
  const name = settings["tokenizer_class"] ?? undefined;
  const modelType = (await optional("config.json"))["model_type"];
  const found = tokenizerClass(name, modelType);
  if (!found || (found.files === "merges" ? !hasMerges : !hasWords)) {
    const wanted = name === undefined ? `that of model type ${JSON.stringify(modelType)}` : JSON.stringify(name);
    const files = hasMerges ? "vocab.json and merges.txt" : "vocab.txt";
    throw new UnsupportedError(
      `${folder.name}: there is no tokenizer.json, and from ${files} alone only the classes ${KNOWN_CLASSES.join(", ")} are known, not ${wanted}`,
    );
  }
  for (const [role, token] of Object.entries(found.roles)) {
    // A role that is null in the files has no token.
    if (!roles.has(role) && settings[role] !== null) roles.set(role, token);
  }
  const model =
    found.files === "merges"
      ? await mergesModel(folder, signal)
      : await wordsModel(folder, roles.get("unk_token"), signal);
  const idOf = tokenIds(model["vocab"] as Json | LargeObject, roles);
  const post_processor = found.postProcessor?.(roles, idOf, settings) ?? templateOf(settings, roles, idOf);
  return { ...found.parts(settings), post_processor, model };
}

/** Ids of tokens: the vocabulary's, and of special tokens that it lacks the next ones. */
function tokenIds(vocab: Json | LargeObject, roles: ReadonlyMap<string, string>): (token: string) => number {
  const isLarge = vocab instanceof LargeObject;
  let next = isLarge ? vocab.members.size : Object.keys(vocab).length;
  const idOf = (token: string): unknown =>
    isLarge ? vocab.members.get(token) : Object.hasOwn(vocab, token) ? vocab[token] : undefined;
  const ids = new Map<string, number>();
  for (const role of ROLES) {
    const token = roles.get(role);
    if (token === undefined || ids.has(token)) continue;
    const known = idOf(token);
    ids.set(token, known === undefined ? next++ : Number(known));
  }
  return (token) => ids.get(token) ?? Number(idOf(token));
}

const slot = (id: string): Json => ({ SpecialToken: { id, type_id: 0 } });

/** What `add_bos_token` and `add_eos_token` put around a text. */
function templateOf(settings: Json, roles: ReadonlyMap<string, string>, idOf: (token: string) => number): Json | null {
  const added = (setting: string, role: string): string[] =>
    settings[setting] === true && roles.has(role) ? [roles.get(role)!] : [];
  const before = added("add_bos_token", "bos_token");
  const after = added("add_eos_token", "eos_token");
  if (before.length + after.length === 0) return null;
  return {
    type: "TemplateProcessing",
    single: [...before.map(slot), { Sequence: { id: "A", type_id: 0 } }, ...after.map(slot)],
    special_tokens: Object.fromEntries([...before, ...after].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  };
}

async function mergesModel(folder: ModelFolder, signal?: AbortSignal): Promise<Json> {
  const json = await readLargeJson(folder, "vocab.json", MAX_TOKENIZER_BYTES, signal, () => true);
  const vocab = json instanceof LargeObject ? json : asObject("vocab.json", json);
  const { LargeList } = await import("../large-values.ts");
  const merges = new LargeList();
  await readLines(folder, "merges.txt", MAX_TOKENIZER_BYTES, signal, (line, number) => {
    const merge = line.trimEnd();
    if (merge !== "" && !(number === 0 && merge.startsWith("#version"))) merges.push(merge);
  });
  return { type: "BPE", unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges };
}

async function wordsModel(folder: ModelFolder, unk_token = "[UNK]", signal?: AbortSignal): Promise<Json> {
  const { LargeMap } = await import("../large-values.ts");
  const members = new LargeMap<unknown>();
  await readLines(folder, "vocab.txt", MAX_TOKENIZER_BYTES, signal, (line, id) =>
    members.set(line.replace(/\r$/, ""), id),
  );
  const vocab = new LargeObject(members);
  return { type: "WordPiece", unk_token, continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab };
}

const isVocabulary = (path: string): boolean => path === "model.vocab" || path === "model.merges";

function asObject(file: string, json: unknown): Json {
  if (
    typeof json !== "object" ||
    json === null ||
    Array.isArray(json) ||
    json instanceof LargeObject ||
    json instanceof LargeItems
  )
    throw new FormatError(file, "is not a JSON object");
  return json as Json;
}
