// One step of a decoder: it takes tokens as they come and gives tokens.

/** One run of a step over a stream of tokens. */
export interface Run {
  /** What is certain once this token, or part of one, has come. */
  push(text: string): readonly string[];
  /** What is left when no more come. */
  end(): readonly string[];
}

/** One step of a decoder. */
export interface DecoderStep {
  /** `isJoined`: what comes are parts of one token */
  start(isJoined: boolean): Run;
  /** true if it makes one token of all */
  readonly joins?: boolean;
  /** The bytes of a token by itself, in the middle of a text. */
  bytes?(token: string): Uint8Array | undefined;
  /** The same, where it stays text. */
  text?(token: string): string;
}

/** The `end` of a run that holds nothing back. */
export const nothing = (): readonly string[] => [];

/** A step that needs a joined token as a whole: it waits for all of it. */
export function onWhole(change: (text: string) => string): Run {
  let whole = "";
  return {
    push(text) {
      whole += text;
      return [];
    },
    end() {
      const made = change(whole);
      whole = "";
      return [made];
    },
  };
}

/** A step that changes each token by itself. */
export function onEach(change: (text: string) => string): Run {
  return { push: (text) => [change(text)], end: nothing };
}
