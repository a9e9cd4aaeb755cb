// The two errors a loader can end in. Both carry their facts as data as well as text, and both are one sentence:
// where, what is, what was wanted, and what to do if we know.

/** The bytes are not what their format says, or are not to be had where they were said to be: retrying does not help. */
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

/** The request is sound, but this model, file or machine lacks something: says what is needed and what there is. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}
