// A model folder's tokenizer: its files, the pipeline made of them, and its chat templates under one name.

import { checkOptions } from "../options.ts";
import { loadChatTemplates } from "../chat-template/chat-template.ts";
import type { ModelFolder } from "../model-folder.ts";
import { decodeAll } from "../token-decoder.ts";
import type { EncodeOptions, PlacedTokens, Tokenizer } from "../tokenizer.ts";
import { readTokenizerFiles } from "./folder-files.ts";
import type { Tokens } from "./model.ts";
import { readPipeline } from "./pipeline.ts";
import { finish, finishInTurns, type Work } from "../work.ts";

/** Tokens between two pauses. */
const TOKENS_PER_PAUSE = 8192;

/** Tokens with their characters. */
function* placed(work: Work<Tokens>): Work<PlacedTokens> {
  const { ids, begins, ends } = yield* work;
  const offsets: { readonly begin: number; readonly end: number }[] = [];
  for (let i = 0; i < ids.length; i++) {
    offsets.push({ begin: begins[i] ?? 0, end: ends[i] ?? 0 });
    if (i % TOKENS_PER_PAUSE === TOKENS_PER_PAUSE - 1) yield;
  }
  return { ids, offsets };
}

/** Reads a folder's tokenizer. Throws {@link FormatError} and {@link UnsupportedError}. */
export async function openTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder, signal);
  const pipeline = await readPipeline(files.tokenizer, signal);
  const { added, decoder } = pipeline;
  const bytes: (Uint8Array | undefined)[] = [];
  const specialTokenIds = added.specialIds();
  const roleId = (role: string): number | null => {
    const token = files.roles.get(role);
    return token === undefined ? null : (added.idOf(token) ?? null);
  };
  for (const role of files.roles.keys()) {
    const id = roleId(role);
    if (id !== null) specialTokenIds.add(id);
  }
  const hasChatMl = ["<|im_start|>", "<|im_end|>"].every((mark) => added.has(added.idOf(mark) ?? -1));
  const { name } = folder;
  const chat = await loadChatTemplates({ name, texts: files.chatTemplates, roles: files.roles, hasChatMl });
  const work = (text: string, options: EncodeOptions = {}, withPlaces = false) => {
    checkOptions<object>("encode", options, { addSpecialTokens: true, signal: true });
    return pipeline.encode(text, { addSpecialTokens: options.addSpecialTokens ?? true, withPlaces });
  };

  const tokenizer: Tokenizer = {
    specialTokenIds,
    vocabSize: added.size,
    maskTokenId: roleId("mask_token"),
    unkTokenId: roleId("unk_token") ?? pipeline.model.unkTokenId,
    padTokenId: roleId("pad_token"),
    bosTokenId: roleId("bos_token"),
    eosTokenId: roleId("eos_token"),
    chatTemplate: chat.text,
    encode: (text, options) => finish(work(text, options)).ids,
    encodeWithOffsets: (text, options) => finish(placed(work(text, options, true))),
    encodeWithOffsetsInTurns: (text, options) => finishInTurns(placed(work(text, options, true)), options?.signal),
    encodeInTurns: async (text, options) => (await finishInTurns(work(text, options), options?.signal)).ids,
    decode: (ids, options) => decodeAll(tokenizer, ids, options),
    tokenToId: (token) => added.idOf(token),
    idToToken: (id) => added.tokenOf(id),
    tokenBytes(id) {
      const token = added.tokenOf(id);
      if (token === undefined) return new Uint8Array(0);
      return (bytes[id] ??= decoder.bytesOf(token));
    },
    startText() {
      const run = decoder.start();
      return {
        push(id) {
          const token = added.tokenOf(id);
          return token === undefined ? "" : run.push(token).join("");
        },
        end: () => run.end().join(""),
      };
    },
    applyChatTemplate: (messages, options) => chat.apply(messages, options),
  };
  return tokenizer;
}
