// A part of a text.

/** A part of a text: begin <= i < end, in UTF-16 units. */
export interface TextRange {
  readonly begin: number;
  readonly end: number;
}
