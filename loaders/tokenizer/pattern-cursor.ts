// A walk over the matches of a pattern, and what makes it.

/** Where a walk over matches has come to. */
export interface Cursor {
  at: number;
  /** end of the last match; -1 before the first */
  lastEnd: number;
  /** steps of a matcher that counts them */
  steps?: number;
}

/** Something that finds matches in a text. */
export interface Pattern {
  /** Adds begin and end of the next matches to `spans`, at most `budget` of them; true once there are no more. */
  find(text: string, cursor: Cursor, budget: number, spans: number[]): boolean;
}
