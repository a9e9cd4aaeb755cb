// The outcome of a program, and the bounds within which it ran.

/** Why a program failed: its answers are wrong, it threw, it does not parse, or it ran out of time or memory. */
export type FailureKind = "assertion" | "exception" | "syntax" | "timeout" | "memory";

/** Whether a program passed its check; if not, why, in one line of text. */
export type Outcome =
  { readonly passed: true } | { readonly passed: false; readonly kind: FailureKind; readonly message: string };

/** Bounds of one program, its tests included. */
export interface Limits {
  /** wall-clock milliseconds */
  readonly timeMs: number;
  /** bytes of everything that the program allocates */
  readonly memoryBytes: number;
}

/** 5 s and 64 MiB: the slowest reference solution of HumanEval-X takes a small part of both. */
export const DEFAULT_LIMITS: Limits = { timeMs: 5000, memoryBytes: 64 << 20 };

/** A failure. */
export function failure(kind: FailureKind, message: string): Outcome {
  return { passed: false, kind, message };
}
