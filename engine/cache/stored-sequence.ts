// A sequence in the store: the lists of its keys, and how many of them can still be taken back.

import type { KeyList } from "./key-list.ts";

/** A sequence's keys: one list per pool. Only the store changes it. */
export class StoredSequence {
  /** tokens fed so far = position of the next */
  length = 0;
  /** number of the segment that the next token belongs to */
  segment = 0;
  /** `segment` without the tokens that are not confirmed */
  confirmedSegment = 0;
  readonly lists: readonly KeyList[];
  /** number of its newest tokens that are not confirmed and can be rolled back */
  ahead = 0;
  isOpen = true;

  constructor(lists: readonly KeyList[]) {
    this.lists = lists;
  }
}

/** Throws a TypeError for a sequence that is closed. */
export function checkOpen({ isOpen }: StoredSequence): void {
  if (isOpen) return;
  throw new TypeError("this sequence is closed: open or fork one that is not");
}
