// The interface of a store for measured choices, and the reading of its document. A document that cannot be read counts as empty, with one
// warning, because a missing choice must never make a model fail to load.

import { visibleText } from "../../loaders/index.ts";
import { NO_CHOICES, parseDocument, type ChoiceDocument } from "./kept-choices.ts";

/** A store of one value. */
export interface ChoiceStore {
  /** its place, for messages */
  readonly place: string;
  /** undefined where nothing is kept */
  read(): Promise<unknown>;
  /** Writes the whole value, or fails and leaves the old one. */
  write(value: unknown): Promise<void>;
  clear(): Promise<void>;
}

/** Reads the document of a store; an empty document if the store is empty, cannot be read, or holds something else. */
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
