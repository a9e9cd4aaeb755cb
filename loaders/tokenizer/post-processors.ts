// What is put around the tokens of a text: the `post_processor` of tokenizer.json, for one text (not a pair).

import { FormatError } from "../errors.ts";
import { asPart, listField, textField, unknownKind, wrongField, type Part } from "./fields.ts";
import type { Tokens } from "./model.ts";

/** Puts tokens around those of a text; without special tokens it may still repeat them. */
export type PostProcessor = (tokens: Tokens, addsSpecialTokens: boolean) => Tokens;

const WHERE = "post_processor";
const KINDS = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing";

/** Reads a post-processor. Throws {@link FormatError} and {@link UnsupportedError}. */
export function readPostProcessor(json: unknown): PostProcessor {
  const part = asPart(WHERE, json);
  switch (part["type"]) {
    case "ByteLevel":
      // It only trims offsets.
      return (tokens) => tokens;
    case "Sequence": {
      const steps = listField(WHERE, part, "processors").map(readPostProcessor);
      return (tokens, adds) => steps.reduce((done, step) => step(done, adds), tokens);
    }
    case "BertProcessing":
    case "RobertaProcessing": {
      const first = idOfPair(part, "cls");
      const last = idOfPair(part, "sep");
      return (tokens, adds) => (adds ? assemble([[first], tokens, [last]]) : tokens);
    }
    case "TemplateProcessing":
      return readTemplate(part);
    default:
      throw unknownKind(WHERE, part["type"], KINDS.split(", "));
  }
}

/** `["[CLS]", 101]` */
function idOfPair(part: Part, name: string): number {
  const [token, id]: unknown[] = Array.isArray(part[name]) ? part[name] : [];
  if (typeof token !== "string" || !isId(id)) throw wrongField(WHERE, name, part[name], "a token and its id");
  return id;
}

const isId = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;

/** The text itself, or ids of special tokens. */
type Slot = "text" | readonly number[];

function readTemplate(part: Part): PostProcessor {
  const specials = asPart(`${WHERE}'s "special_tokens"`, part["special_tokens"]);
  const slots = listField(WHERE, part, "single").map((item): Slot => {
    const slot = asPart(`${WHERE}'s "single"`, item);
    if ("Sequence" in slot) {
      const { id } = asPart(WHERE, slot["Sequence"]);
      if (id !== "A") {
        throw new FormatError(
          "tokenizer.json",
          `the template of its ${WHERE} for one text has the text ${JSON.stringify(id)}, not "A"`,
        );
      }
      return "text";
    }
    const name = textField(WHERE, asPart(WHERE, slot["SpecialToken"]), "id");
    if (!Object.hasOwn(specials, name)) {
      throw new FormatError(
        "tokenizer.json",
        `the template of its ${WHERE} has ${JSON.stringify(name)}, which is not one of its "special_tokens"`,
      );
    }
    const ids = listField(WHERE, asPart(WHERE, specials[name]), "ids");
    if (!ids.every(isId)) throw wrongField(WHERE, "ids", ids, "a list of ids");
    return ids;
  });
  return (tokens, adds) =>
    assemble(
      slots.flatMap((slot): (Tokens | readonly number[])[] => (slot === "text" ? [tokens] : adds ? [slot] : [])),
    );
}

/** Joins tokens; a special one stands for no characters, where those before it end. */
function assemble(parts: readonly (Tokens | readonly number[])[]): Tokens {
  if (parts.length === 1 && "ids" in parts[0]!) return parts[0];
  const all: Tokens = { ids: [], begins: [], ends: [] };
  for (const part of parts) {
    if ("ids" in part) {
      for (let i = 0; i < part.ids.length; i++) {
        all.ids.push(part.ids[i]!);
        all.begins.push(part.begins[i] ?? 0);
        all.ends.push(part.ends[i] ?? 0);
      }
      continue;
    }
    for (const id of part) {
      const at = all.ends.at(-1) ?? 0;
      all.ids.push(id);
      all.begins.push(at);
      all.ends.push(at);
    }
  }
  return all;
}
