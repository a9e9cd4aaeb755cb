// Text -> tokens and back. Splitting and merging is the work of `@huggingface/tokenizers`, chat templates that of
// `@huggingface/jinja`; both are imported here only, when a tokenizer is loaded, so that a bundle can leave them out.
// Decoding is our own (token-decoder.ts): it has to work token by token.

import { FormatError, UnsupportedError } from "./errors.ts";
import type { ModelFolder } from "./model-folder.ts";
import { decodeAll, readDecoder, type DecodeOptions, type TokenBytes } from "./token-decoder.ts";
import { readTokenizerFiles, withExactSplits, type TokenizerFiles } from "./tokenizer-files.ts";

/** One message of a chat. Templates may read further fields. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** What a chat template is given besides the messages. */
export interface ChatOptions {
  /** End with the opening of the assistant's turn, so that the model answers; true by default. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Tools, documents and whatever else the template reads. */
  readonly [variable: string]: unknown;
}

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
  /** The chat template in Jinja; undefined if the model has none. */
  readonly chatTemplate: string | undefined;
  /**
   * The text of a chat as the model was trained to see it.
   * Throws {@link UnsupportedError} if the model has no template, {@link FormatError} if the template refuses the chat.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

/**
 * ChatML: for a vocabulary that has its two marks as tokens but comes without a template. It adds no system message of
 * its own: the caller says what the system is.
 */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/**
 * Loads the tokenizer of a model folder: tokenizer.json, or vocab.json and merges.txt of a known class, with
 * tokenizer_config.json and chat_template.jinja if they are there.
 */
export async function loadTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder, signal);
  const [library, jinja] = await Promise.all([import("@huggingface/tokenizers"), import("@huggingface/jinja")]);
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
  const chatTemplate = files.chatTemplate ?? (hasChatMl ? CHATML : undefined);
  let parsed: InstanceType<typeof jinja.Template> | undefined;

  const tokenizer: Tokenizer = {
    edges: rules.edges,
    specialTokenIds,
    vocabSize,
    maskTokenId: roleId("mask_token"),
    unkTokenId: roleId("unk_token") ?? inner.model?.unk_token_id ?? null,
    padTokenId: roleId("pad_token"),
    bosTokenId: roleId("bos_token"),
    eosTokenId: roleId("eos_token"),
    chatTemplate,
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
    applyChatTemplate(messages, { addGenerationPrompt = true, ...variables } = {}) {
      if (chatTemplate === undefined) {
        throw new UnsupportedError(
          `${folder.name}: has no chat template (in tokenizer_config.json or chat_template.jinja) and no ChatML tokens; give the prompt as text`,
        );
      }
      try {
        parsed ??= new jinja.Template(chatTemplate);
        const roles = Object.fromEntries(files.roles);
        return parsed.render({ ...roles, ...variables, messages, add_generation_prompt: addGenerationPrompt });
      } catch (cause) {
        throw new FormatError(folder.name, `its chat template failed: ${reasonOf(cause)}`, { cause });
      }
    },
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
