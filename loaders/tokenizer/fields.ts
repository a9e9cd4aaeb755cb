// The members of tokenizer.json's parts, checked as they are read: a wrong one ends in a sentence that names it.

import { FormatError, UnsupportedError } from "../errors.ts";
import { LargeItems } from "../large-table.ts";

/** A JSON object that is part of tokenizer.json. */
export type Part = Readonly<Record<string, unknown>>;

const FILE = "tokenizer.json";

/** A value written into a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** The error for a member that is not what it must be. */
export function wrongField(where: string, name: string, value: unknown, wanted: string): FormatError {
  return new FormatError(FILE, `the "${name}" of its ${where} is ${shown(value)}, not ${wanted}`);
}

/** The error for a kind of part that the Rust library has no such name for. */
export function unknownKind(what: string, value: unknown, known: readonly string[]): UnsupportedError {
  return new UnsupportedError(`${FILE}: its ${what} ${shown(value)} is not known; known are ${known.join(", ")}`);
}

/** A part as an object. */
export function asPart(where: string, value: unknown): Part {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(FILE, `its ${where} is ${shown(value)}, not an object`);
  }
  return value as Part;
}

/** The member that must be a text. */
export function textField(where: string, part: Part, name: string): string {
  const value = part[name];
  if (typeof value !== "string") throw wrongField(where, name, value, "a text");
  return value;
}

/** The member that must be one character. */
export function characterField(where: string, part: Part, name: string): string {
  const value = textField(where, part, name);
  if ([...value].length !== 1) throw wrongField(where, name, value, "one character");
  return value;
}

/** The member that is a text, or left out, or null. */
export function optionalText(where: string, part: Part, name: string): string | undefined {
  return part[name] === undefined || part[name] === null ? undefined : textField(where, part, name);
}

/** The member that must be true or false. `otherwise`: what it is where it is left out. */
export function booleanField(where: string, part: Part, name: string, otherwise?: boolean): boolean {
  const value = part[name] ?? otherwise;
  if (typeof value !== "boolean") throw wrongField(where, name, value, "true or false");
  return value;
}

/** The member that must be a whole number of at least 0. */
export function countField(where: string, part: Part, name: string, otherwise?: number): number {
  const value = part[name] ?? otherwise;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw wrongField(where, name, value, "a whole number of at least 0");
  }
  return value;
}

/** The member that must be a list, which may be a large one. */
export function itemsField(where: string, part: Part, name: string): Pick<readonly unknown[], "length" | "at"> {
  const value = part[name];
  return value instanceof LargeItems ? value : listField(where, part, name);
}

/** The member that must be a list. */
export function listField(where: string, part: Part, name: string): readonly unknown[] {
  const value = part[name];
  if (!Array.isArray(value)) throw wrongField(where, name, value, "a list");
  return value as unknown[];
}
