// Text -> tokens and back. Splitting and merging is the work of `@huggingface/tokenizers`, which is imported here only, when a
// tokenizer is loaded, so that a bundle can leave it out. Decoding is our own (token-decoder.ts): it has to work token by
// token. Chat templates: chat-template/.

import { loadChatTemplates, type ChatMessage, type ChatOptions } from "./chat-template/chat-template.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import type { ModelFolder } from "./model-folder.ts";
import { decodeAll, readDecoder, type DecodeOptions, type TokenBytes } from "./token-decoder.ts";
import { readTokenizerFiles, withExactSplits, type TokenizerFiles } from "./tokenizer-files.ts";

/** A model's tokenizer. */
export interface Tokenizer extends TokenBytes {
  /**
   * Text to token ids.
   *
   * @param options.addSpecialTokens whether to add what the tokenizer adds to every text, such as `<s>`; true by
   *   default. Pass false for the text of a chat template, which has them already.
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean | undefined }): number[];
  /** Token ids to text, with nothing cleaned up: `decode(encode(text))` is the text for every byte-level tokenizer. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  tokenToId(token: string): number | undefined;
  /** The token as the vocabulary writes it (byte-level tokenizers write a space as U+0120). */
  idToToken(id: number): string | undefined;
  /** One more than the highest id. */
  readonly vocabSize: number;
  readonly maskTokenId: number | null;
  readonly unkTokenId: number | null;
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  /** The default chat template in Jinja; undefined if the model has none. */
  readonly chatTemplate: string | undefined;
  /**
   * The text of a chat as the model was trained to see it.
   * Throws {@link UnsupportedError} if the model has no template, {@link FormatError} if the template refuses the chat.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

/**
 * Loads the tokenizer of a model folder: tokenizer.json, or vocab.json and merges.txt of a known class, with
 * tokenizer_config.json and chat_template.jinja if they are there.
 */
export async function loadTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder, signal);
  const library = await import("@huggingface/tokenizers");
  const inner = makeInner(library, files);
  const rules = readDecoder("tokenizer.json", files.tokenizer["decoder"]);
  const added = inner.get_added_tokens_decoder();
  const vocabSize = inner.model?.vocab.length ?? 0;
  const bytes: (Uint8Array | undefined)[] = [];
  const specialTokenIds = new Set([...added.values()].filter((token) => token.special).map((token) => token.id));
  const roleId = (role: string): number | null => {
    const token = files.roles.get(role);
    return token === undefined ? null : (inner.token_to_id(token) ?? null);
  };
  for (const role of files.roles.keys()) {
    const id = roleId(role);
    if (id !== null) specialTokenIds.add(id);
  }
  const hasChatMl = ["<|im_start|>", "<|im_end|>"].every((mark) => added.has(inner.token_to_id(mark) ?? -1));
  const { name } = folder;
  const chat = await loadChatTemplates({ name, texts: files.chatTemplates, roles: files.roles, hasChatMl });

  const tokenizer: Tokenizer = {
    edges: rules.edges,
    specialTokenIds,
    vocabSize,
    maskTokenId: roleId("mask_token"),
    unkTokenId: roleId("unk_token") ?? inner.model?.unk_token_id ?? null,
    padTokenId: roleId("pad_token"),
    bosTokenId: roleId("bos_token"),
    eosTokenId: roleId("eos_token"),
    chatTemplate: chat.text,
    encode(text, options) {
      if (text === "" && options?.addSpecialTokens === false) return [];
      const { ids } = inner.encode(text, { add_special_tokens: options?.addSpecialTokens ?? true });
      // A character outside a vocabulary without an unknown token has no id: like the Rust library, it is left out.
      return ids.filter((id: number | undefined) => id !== undefined);
    },
    decode: (ids, options) => decodeAll(tokenizer, ids, options),
    tokenToId: (token) => inner.token_to_id(token),
    idToToken: (id) => inner.id_to_token(id),
    tokenBytes(id) {
      const token = inner.id_to_token(id);
      if (token === undefined) return new Uint8Array(0);
      return (bytes[id] ??= rules.bytesOf(token, added.has(id)));
    },
    applyChatTemplate: (messages, options) => chat.apply(messages, options),
  };
  return tokenizer;
}

type Library = typeof import("@huggingface/tokenizers");

function makeInner(library: Library, files: TokenizerFiles): InstanceType<Library["Tokenizer"]> {
  const { tokenizer, settings } = files;
  try {
    const lenient = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    // The library's decoder is not used: ours knows what it can do, and says so.
    const json = {
      ...lenient,
      ...tokenizer,
      decoder: null,
      pre_tokenizer: withExactSplits(tokenizer["pre_tokenizer"] ?? null),
    };
    return new library.Tokenizer(json, settings);
  } catch (cause) {
    const reason = reasonOf(cause);
    if (reason.startsWith("Unknown")) {
      throw new UnsupportedError(`tokenizer.json: the tokenizer library does not have a part of it: ${reason}`);
    }
    throw new FormatError("tokenizer.json", `is not a tokenizer that can be used: ${reason}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
