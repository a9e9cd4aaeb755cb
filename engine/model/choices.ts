// What steps that combine choose from. A choice is a range of outputs whose logits become one row, from which one token is chosen for all
// of them; in such a step an output of a request that does not combine is a choice of its own, whose logits are copied.

import type { Tensor, Write } from "../devices/device.ts";
import type { Combination } from "../generate/decoder.ts";
import type { Part } from "./part.ts";

/** Parts of a request that are answered together: one, or the rows of a combination, the plain one first. */
export interface Group {
  readonly parts: readonly Part[];
  /** undefined for a part whose own logits are wanted */
  readonly combination: Pick<Combination, "rule" | "factors"> | undefined;
}

/** The outputs begin..end of a step, from which one token is chosen. */
export interface Choice {
  readonly begin: number;
  readonly end: number;
  readonly combination: Group["combination"];
}

/** The choices of a step that combines. */
export interface Choices {
  readonly list: readonly Choice[];
  /** only tokens are read, no logits */
  readonly isGreedy: boolean;
}

/** Choices as a step's inputs: combining.ts makes them. */
export interface Choosing {
  readonly count: number;
  readonly variables: Readonly<Record<string, number>>;
  /** [outputs]: the token chosen for each */
  readonly chosen: Tensor;
  /** what is written `ahead` steps after the one whose tokens are known; throws where factors cannot be had */
  writes(ahead: number): readonly Write[];
}

/** The choices of groups whose outputs follow one another from `begin` on. */
export function choicesOf(groups: readonly Group[], begin: number): Choice[] {
  let next = begin;
  return groups.map(({ parts, combination }) => ({ begin: next, end: (next += parts.length), combination }));
}
