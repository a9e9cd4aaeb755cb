// A walk over the matches of a pattern, and what makes it.

/** Where a walk over matches has come to. */
export interface Cursor {
  at: number;
  /** end of the last match; -1 before the first */
  lastEnd: number;
  /** steps of a matcher that counts them */
  steps?: number;
  /** the text has a run that is too long for JavaScript's engine */
  hasLongRun?: boolean;
  /** of a walk over scripts: the last one, and whether a run of it has begun */
  lastScript?: number;
  isInRun?: boolean;
}

/** Something that finds matches in a text. */
export interface Pattern {
  /** Adds begin and end of the next matches to `spans`, at most `budget` of them; true once there are no more. */
  find(text: string, cursor: Cursor, budget: number, spans: number[]): boolean;
}
