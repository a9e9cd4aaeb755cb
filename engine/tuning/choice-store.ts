// A place that keeps measured choices, and how they are read from it. A value that cannot be read counts as absent, with one
// warning: a missing choice never makes a model fail to load.

import { visibleText } from "../../loaders/index.ts";
import { NO_CHOICES, parseDocument, type ChoiceDocument } from "./kept-choices.ts";

/** One value that stays. */
export interface ChoiceStore {
  /** where it is, for people */
  readonly place: string;
  /** undefined where nothing is kept */
  read(): Promise<unknown>;
  /** All or nothing of it is there afterwards. */
  write(value: unknown): Promise<void>;
  clear(): Promise<void>;
}

/** What a store keeps; nothing where it is empty, cannot be read, or holds something else. */
export async function readDocument(store: ChoiceStore, warn = warnOnce): Promise<ChoiceDocument> {
  try {
    const value = await store.read();
    return value === undefined ? NO_CHOICES : parseDocument(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // what is in the file can be in the message
    warn(`kedge: ${store.place} is ignored: ${visibleText(reason.replace(`${store.place}: `, ""))}`);
    return NO_CHOICES;
  }
}

const warned = new Set<string>();

function warnOnce(sentence: string): void {
  if (warned.has(sentence)) return;
  warned.add(sentence);
  console.warn(sentence);
}
