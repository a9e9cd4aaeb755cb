// What a decoder asks of the scheduler: tokens for sequences, and what it wants to know after the last of each. The scheduler takes the
// tokens step by step, as many as a step has room for.
//
// A request that combines (choices.ts) needs the logits of all its rows in one step. It is fed whole where that fits; else first all
// tokens but the last of each sequence, then these.

import type { CachedSequence } from "../cache/sequence.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Answers } from "./answers.ts";
import type { Group } from "./choices.ts";
import { rowsOf, type Part } from "./part.ts";
import { isForeseeable, type AheadResults } from "./run-ahead.ts";
import type { Waiting } from "./step-plan.ts";

/** What a request is checked with before each step. */
export interface Checks {
  storeOf(sequence: CachedSequence): CacheStore;
  /** Throws if tokens cannot be fed to a sequence. */
  check(sequence: CachedSequence, tokens: readonly number[]): void;
}

/** What a request came to: an answer for each of its groups, or the steps that ran ahead. */
export interface Served {
  readonly answers: readonly unknown[];
  readonly ahead?: AheadResults;
}

/** What a request has in a step. */
export interface Portion {
  readonly parts: readonly Part[];
  /** rows whose logits are wanted, counted from the portion's first */
  readonly outputs: readonly number[];
}

/** A request while it waits or is served. */
export class Request implements Waiting {
  readonly groups: readonly Group[];
  readonly answers: Answers<unknown>;
  /** greedy steps that it would take at once */
  readonly most: number;
  readonly signal: AbortSignal | undefined;
  readonly stepKey: string;
  /** whether logits of several rows are combined */
  readonly combines: boolean;
  /** answers to the groups that are done */
  readonly answered: unknown[] = [];
  readonly served: Promise<Served>;
  /** one token for each of its sequences */
  isDecoding: boolean;
  since = 0;
  rows: number;
  resolve!: (served: Served) => void;
  reject!: (reason: unknown) => void;
  /** what is fed in order; the rest of a part behind its beginning */
  #parts: readonly Part[];
  /** parts that have no output: beginnings of parts that are fed in two */
  #beginnings = 0;
  /** the part whose tokens are next, and how many of them have been fed */
  #part = 0;
  #fed = 0;

  constructor(groups: readonly Group[], answers: Answers<unknown>, most: number, signal: AbortSignal | undefined) {
    this.groups = groups;
    this.#parts = groups.flatMap(({ parts }) => parts);
    this.answers = answers;
    this.most = most;
    this.signal = signal;
    this.stepKey = keyOf(this.#parts[0]!);
    this.combines = groups.some(({ combination }) => combination !== undefined);
    this.isDecoding = this.#parts.every(({ tokens }) => tokens.length === 1);
    this.rows = rowsOf(this.#parts);
    this.served = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The parts that have not been fed, of one token each in a request that decodes. */
  get parts(): readonly Part[] {
    return this.#parts.slice(this.#part);
  }

  /** It is fed in one step or not at all. */
  get isWhole(): boolean {
    return this.combines && this.isDecoding;
  }

  /** Throws what would keep the rest of the request from being fed: a closed sequence, or no room where no key is dropped. */
  check(maker: Checks): void {
    this.signal?.throwIfAborted();
    for (const { sequence } of this.parts) maker.check(sequence, []);
    const { sequence } = this.#parts[0]!;
    if (isForeseeable(sequence.keeping)) maker.storeOf(sequence).checkRoom(this.rows);
  }

  /** How many of so many rows of a step it takes. */
  take(rows: number): number {
    if (!this.combines || this.isDecoding) return rows;
    if (this.#beginnings === 0) {
      if (rows >= this.rows) return rows;
      this.#divide();
    }
    // A sequence is in a step once.
    const ends = this.#parts.length - this.#beginnings;
    return Math.min(rows, this.rows - ends);
  }

  /** The next tokens. */
  next(rows: number): Portion {
    const parts = this.#rest(rows);
    const outputs: number[] = [];
    let row = 0;
    for (const [i, { tokens }] of parts.entries()) {
      row += tokens.length;
      const index = this.#part + i;
      const fed = (i === 0 ? this.#fed : 0) + tokens.length;
      if (index >= this.#beginnings && fed === this.#parts[index]!.tokens.length) outputs.push(row - 1);
    }
    return { parts, outputs };
  }

  /** The groups that the next `outputs` outputs answer. */
  nextGroups(outputs: number): readonly Group[] {
    return this.combines ? this.groups : this.groups.slice(this.answered.length, this.answered.length + outputs);
  }

  /** Counts tokens as fed. */
  advance(rows: number): void {
    this.rows -= rows;
    for (let left = rows + this.#fed; ; this.#part++) {
      const length = this.#parts[this.#part]?.tokens.length ?? Infinity;
      this.#fed = left;
      if (left < length) break;
      left -= length;
    }
    if (this.#beginnings > 0 && this.#part >= this.#beginnings) this.isDecoding = true;
  }

  /** Puts the last token of each part behind all beginnings. */
  #divide(): void {
    const beginnings = this.#parts
      .filter(({ tokens }) => tokens.length > 1)
      .map(({ sequence, tokens }) => ({ sequence, tokens: tokens.slice(0, -1) }));
    this.#parts = [
      ...beginnings,
      ...this.#parts.map(({ sequence, tokens }) => ({ sequence, tokens: tokens.slice(-1) })),
    ];
    this.#beginnings = beginnings.length;
  }

  #rest(rows: number): Part[] {
    const parts: Part[] = [];
    let [left, from] = [rows, this.#fed];
    for (let i = this.#part; left > 0; i++) {
      const { sequence, tokens } = this.#parts[i]!;
      const taken = from === 0 && tokens.length <= left ? tokens : tokens.slice(from, from + left);
      parts.push({ sequence, tokens: taken });
      left -= taken.length;
      from = 0;
    }
    return parts;
  }
}

/** What sequences must have in common to share a step. */
export function keyOf({ sequence }: Part): string {
  return sequence.keeping.stepKey;
}
