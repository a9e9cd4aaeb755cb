// The outcome of a program, and the bounds within which it ran.

/** Why a program failed: its answers are wrong, it threw, it does not parse, or it ran out of time or memory. */
export const FAILURE_KINDS = ["assertion", "exception", "syntax", "timeout", "memory"] as const;
/** One of {@link FAILURE_KINDS}. */
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** 20 s of a processor and 256 MiB: Python in WebAssembly is some times slower than Python, and the tests of HumanEval+ and MBPP+ are long. */
export const DEFAULT_PYTHON_LIMITS: Limits = { timeMs: 20_000, memoryBytes: 256 << 20 };

/** A task needs what its sandbox lacks: that says nothing about the program, and is never counted as a failure. */
export const NOT_JUDGED = "not judged";

/** Why an outcome is not a pass. */
export type OutcomeKind = FailureKind | typeof NOT_JUDGED;

/** Whether a program passed its check; if not, why, in one line of text. */
export type Outcome =
  { readonly passed: true } | { readonly passed: false; readonly kind: OutcomeKind; readonly message: string };

/** Bounds of one program, its tests included. */
export interface Limits {
  /** milliseconds: by the wall clock in JavaScript; of processors in Python, and four times that by the wall clock */
  readonly timeMs: number;
  /** bytes of everything that the program allocates */
  readonly memoryBytes: number;
}

/** 5 s and 64 MiB: the slowest reference solution of HumanEval-X takes a small part of both. */
export const DEFAULT_LIMITS: Limits = { timeMs: 5000, memoryBytes: 64 << 20 };

/** Whether an outcome says something about the program: it passed or failed. */
export function isJudged(outcome: Outcome): boolean {
  return outcome.passed || outcome.kind !== NOT_JUDGED;
}

/** The outcome of a program whose check needs what the sandbox lacks: `needs numpy.zeros`. */
export function notJudged(message: string): Outcome {
  return { passed: false, kind: NOT_JUDGED, message };
}

/** A failure. */
export function failure(kind: FailureKind, message: string): Outcome {
  return { passed: false, kind, message };
}

/** The outcome that a judge in Python answers: null is a pass, and a kind that is no failure's is not judged. */
export function outcomeOf(kind: string | null, message: string): Outcome {
  if (kind === null) return { passed: true };
  const known = FAILURE_KINDS.find((one) => one === kind);
  return known === undefined ? notJudged(message) : failure(known, message);
}
