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
  /** whose bytes are counted with those of the policy's other sequences */
  policy: object | undefined;

  constructor(lists: readonly KeyList[]) {
    this.lists = lists;
  }
}

/** Throws a TypeError for a sequence that is closed. */
export function checkOpen({ isOpen }: StoredSequence): void {
  if (isOpen) return;
  throw new TypeError("this sequence is closed: open or fork one that is not");
}

/** The slots of list `index` of all these sequences that hold confirmed tokens, each counted once. */
export function distinctSlots(sequences: readonly StoredSequence[], index: number, slotCount: number): number {
  const seen = new Uint8Array(slotCount);
  let count = 0;
  for (const { lists, ahead } of sequences) {
    const list = lists[index]!;
    for (let key = 0; key < list.length - ahead; key++) {
      const slot = list.slot(key);
      count += 1 - seen[slot]!;
      seen[slot] = 1;
    }
  }
  return count;
}
