// The stored form of measured choices: a document with one record for each key. A key is an adapter and its driver (or a processor), the
// version of kedge, and whether approximate implementations were allowed. A device follows only the record of its own key; records of
// an earlier driver or version are dropped.

import type { DeviceIdentity, MeasuredChoice } from "../devices/measured-choices.ts";

/** A choice and the times that it is based on: medians in seconds per call. */
export interface KernelChoice extends MeasuredChoice {
  /** how many rows were timed */
  readonly rows: number;
  readonly seconds: number;
  /** the device's own choice; equal to `implementation` if nothing was faster */
  readonly preset: string;
  readonly presetSeconds: number;
}

/** The key of a record of choices. */
export interface ChoiceKey {
  readonly identity: DeviceIdentity;
  /** of kedge */
  readonly version: string;
  /** true if approximate implementations were allowed */
  readonly isApproximate: boolean;
}

/** A record: choices and their key. */
export interface ChoiceRecord extends ChoiceKey {
  readonly choices: readonly KernelChoice[];
}

/** All records. */
export interface ChoiceDocument {
  readonly format: typeof FORMAT;
  readonly records: readonly ChoiceRecord[];
}

const FORMAT = 1;
/** The empty document. */
export const NO_CHOICES: ChoiceDocument = { format: FORMAT, records: [] };
/** What changes when a driver is updated and the adapter stays. */
const DRIVER = "driver";

/** Checks a value that was parsed from JSON or read from a database. Throws an Error that says what is wrong with it. */
export function parseDocument(value: unknown): ChoiceDocument {
  const { format, records } = asObject(value, "the document");
  if (format !== FORMAT) throw new Error(`its format is ${JSON.stringify(format)}, wanted ${FORMAT}`);
  return { format, records: asArray(records, "records").map(parseRecord) };
}

function parseRecord(value: unknown): ChoiceRecord {
  const { identity, version, isApproximate, choices } = asObject(value, "a record");
  const facts = asObject(identity, "an identity");
  for (const [name, fact] of Object.entries(facts)) {
    if (!["string", "number", "boolean"].includes(typeof fact)) throw new Error(`an identity's ${name} is no fact`);
  }
  return {
    identity: facts as DeviceIdentity,
    version: asString(version, "version"),
    isApproximate: isApproximate === true,
    choices: asArray(choices, "choices").map(parseChoice),
  };
}

function parseChoice(value: unknown): KernelChoice {
  const { call, begin, end, implementation, rows, seconds, preset, presetSeconds } = asObject(value, "a choice");
  return {
    call: asString(call, "call"),
    begin: asNumber(begin, "begin"),
    end: end === null ? null : asNumber(end, "end"),
    implementation: asString(implementation, "implementation"),
    rows: asNumber(rows, "rows"),
    seconds: asNumber(seconds, "seconds"),
    preset: asString(preset, "preset"),
    presetSeconds: asNumber(presetSeconds, "presetSeconds"),
  };
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`${what} is no object`);
}
function asArray(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new Error(`${what} is no list`);
}
function asString(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new Error(`a choice's ${what} is ${JSON.stringify(value)}, wanted a text`);
}
function asNumber(value: unknown, what: string): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new Error(`a choice's ${what} is ${JSON.stringify(value)}, wanted a number of at least 0`);
}

/** The choices kept under a key. */
export function choicesFor(document: ChoiceDocument, key: ChoiceKey): readonly KernelChoice[] {
  const wanted = textOf(key);
  return document.records.find((record) => textOf(record) === wanted)?.choices ?? [];
}

/** The document with more choices under a key: they replace those for the same calls and rows, and outdated records go. */
export function withChoices(
  document: ChoiceDocument,
  key: ChoiceKey,
  choices: readonly KernelChoice[],
): ChoiceDocument {
  const renewed = new Set(choices.map(placeOf));
  const older = choicesFor(document, key).filter((choice) => !renewed.has(placeOf(choice)));
  const others = document.records.filter(
    (record) =>
      textOf(record) !== textOf(key) &&
      record.version === key.version &&
      !(isSameAdapter(record.identity, key.identity) && record.identity[DRIVER] !== key.identity[DRIVER]),
  );
  const { identity, version, isApproximate } = key;
  return { ...NO_CHOICES, records: [...others, { identity, version, isApproximate, choices: [...older, ...choices] }] };
}

/** Where a choice applies: two with the same place exclude each other. */
export function placeOf({ call, begin }: Pick<KernelChoice, "call" | "begin">): string {
  return `${call} from ${begin}`;
}

function textOf({ identity, version, isApproximate }: ChoiceKey): string {
  return JSON.stringify([factsOf(identity), version, isApproximate]);
}

function factsOf(identity: DeviceIdentity): readonly (readonly [string, unknown])[] {
  return Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1));
}

function isSameAdapter(a: DeviceIdentity, b: DeviceIdentity): boolean {
  return withoutDriver(a) === withoutDriver(b);
}

function withoutDriver(identity: DeviceIdentity): string {
  return JSON.stringify(factsOf(identity).filter(([name]) => name !== DRIVER));
}
