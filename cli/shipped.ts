// The models that come with kedge, and what the command line knows about them beyond their files: a prompt to begin with and
// where a completion of theirs ends.

import { basename } from "node:path";

/** Facts about a shipped model. */
export interface Shipped {
  /** completed where no prompt is given */
  readonly example: string;
  /** further prompts worth trying */
  readonly next: string;
  /** true of a text that is a whole completion */
  readonly isWhole: (text: string) => boolean;
  /** what `isWhole` stands for, for people */
  readonly ending: string;
}

const javascript: Shipped = {
  example: `/**
 * Keep only the even numbers and then add all the numbers together.
 */
function total(nums) {
`,
  next: String.raw`$'/**\n * Remove duplicate words, then sort the words by length.\n */\nfunction tidy(words) {\n'`,
  isWhole: (text) => /^\}\n/m.test(text),
  ending: "the function was closed",
};

/** Returns the facts about the model in this folder, by the folder's name. */
export function shippedModel(folder: string): Shipped | undefined {
  return /^kedge-js-5m(-anchor)?$/.test(basename(folder)) ? javascript : undefined;
}
