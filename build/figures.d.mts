/** A table of a Markdown text. */
export interface Table {
  /** the heading above it */
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The tables of a Markdown text. */
export declare function tablesOf(markdown: string): readonly Table[];

/** The cell at a place: labels (cells of its row, the heading above the table), then the column's title. Throws unless there is one row. */
export declare function cellOf(markdown: string, labels: readonly string[]): string;

/** File, labels and column of figures by name. */
export type Places = Readonly<Record<string, readonly string[]>>;

/** The text with every cited figure as its table has it. `read` gives the text of a file by its path. */
export declare function withFigures(markdown: string, places: Places, read: (file: string) => string): string;

/** The documents that may cite figures, by their paths from the root. */
export declare function documents(): readonly string[];

/** The text with every copy of a saved result as its file has it. */
export function withCopies(markdown: string, read: (file: string) => string): string;
