// The two errors that loaders throw. Both carry their facts as data and as one sentence: where, what is, what was wanted, and what to
// do if that is known.

/** The bytes do not follow their format, or are missing where they should be. Retrying does not help. */
export class FormatError extends Error {
  override readonly name = "FormatError";
  /** The file (or other source) that is wrong. */
  readonly file: string;
  /** The tensor it is about, if it is about one. */
  readonly tensor: string | undefined;

  constructor(file: string, problem: string, details: { tensor?: string | undefined; cause?: unknown } = {}) {
    super(`${file}: ${problem}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.file = file;
    this.tensor = details.tensor;
  }
}

/** The request is valid, but this model, file or machine lacks something. The message says what is needed and what there is. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}
