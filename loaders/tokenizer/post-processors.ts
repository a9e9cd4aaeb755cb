// What is put around the tokens of a text: the `post_processor` of tokenizer.json, for one text (not a pair).

import { FormatError } from "../errors.ts";
import { asPart, listField, textField, unknownKind, wrongField, type Part } from "./fields.ts";
import type { Tokens } from "./model.ts";

/** Puts tokens around those of a text; without special tokens it may still repeat them. */
export type PostProcessor = (tokens: Tokens, addsSpecialTokens: boolean) => Tokens;

/** A step of it: it takes and gives parts, for a step that follows a template sees each part of that by itself. */
type Step = (parts: readonly Tokens[], addsSpecialTokens: boolean) => readonly Tokens[];

const WHERE = "post_processor";
const KINDS = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing";

/** Reads a post-processor. Throws {@link FormatError} and {@link UnsupportedError}. */
export function readPostProcessor(json: unknown): PostProcessor {
  const step = readStep(json);
  return (tokens, adds) => joined(step([tokens], adds));
}

function readStep(json: unknown): Step {
  const part = asPart(WHERE, json);
  switch (part["type"]) {
    case "ByteLevel":
      // It only trims offsets.
      return (parts) => parts;
    case "Sequence": {
      const steps = listField(WHERE, part, "processors").map(readStep);
      return (parts, adds) => steps.reduce((done, step) => step(done, adds), parts);
    }
    case "BertProcessing":
    case "RobertaProcessing": {
      const first = idOfPair(part, "cls");
      const last = idOfPair(part, "sep");
      return (parts, adds) =>
        adds ? parts.map((tokens, i) => joined([...(i === 0 ? [[first]] : []), tokens, [last]])) : parts;
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

/** The number of a text, or ids of special tokens. */
type Slot = number | readonly number[];

function readTemplate(part: Part): Step {
  const specials = asPart(`${WHERE}'s "special_tokens"`, part["special_tokens"]);
  const single = readSlots(part, "single", specials);
  if (single.some((slot) => typeof slot === "number" && slot > 0)) {
    throw new FormatError("tokenizer.json", `the template of its ${WHERE} for one text has the text "B"`);
  }
  const pair = part["pair"] === undefined ? [] : readSlots(part, "pair", specials);
  return (parts, adds) => {
    if (parts.length > 2) {
      throw new FormatError(
        "tokenizer.json",
        `a template of its ${WHERE} is given ${parts.length} parts by the step before; it takes 2`,
      );
    }
    return (parts.length === 2 ? pair : single).flatMap((slot) => {
      if (typeof slot === "number") return parts[slot] ?? [];
      return adds ? [{ ids: [...slot], begins: [], ends: [] }] : [];
    });
  };
}

function readSlots(part: Part, name: string, specials: Part): readonly Slot[] {
  return listField(WHERE, part, name).map((item): Slot => {
    const slot = asPart(`${WHERE}'s "${name}"`, item);
    if ("Sequence" in slot) {
      const { id } = asPart(WHERE, slot["Sequence"]);
      if (id !== "A" && id !== "B") throw wrongField(WHERE, "id", id, '"A" or "B"');
      return id === "A" ? 0 : 1;
    }
    const token = textField(WHERE, asPart(WHERE, slot["SpecialToken"]), "id");
    if (!Object.hasOwn(specials, token)) {
      throw new FormatError(
        "tokenizer.json",
        `the template of its ${WHERE} has ${JSON.stringify(token)}, which is not one of its "special_tokens"`,
      );
    }
    const ids = listField(WHERE, asPart(WHERE, specials[token]), "ids");
    if (!ids.every(isId)) throw wrongField(WHERE, "ids", ids, "a list of ids");
    return ids;
  });
}

/** Joins tokens; a special one stands for no characters, where those before it end. Tokens without places stay so. */
function joined(parts: readonly (Tokens | readonly number[])[]): Tokens {
  if (parts.length === 1 && "ids" in parts[0]!) return parts[0];
  const all: Tokens = { ids: [], begins: [], ends: [] };
  const arePlaced = parts.some((part) => "ids" in part && part.begins.length > 0);
  for (const part of parts) {
    const { ids, begins, ends } = "ids" in part ? part : { ids: part, begins: [], ends: [] };
    for (let i = 0; i < ids.length; i++) {
      all.ids.push(ids[i]!);
      if (!arePlaced) continue;
      const at = all.ends.at(-1) ?? 0;
      all.begins.push(begins[i] ?? at);
      all.ends.push(ends[i] ?? at);
    }
  }
  return all;
}
