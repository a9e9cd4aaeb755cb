// Prompts with which several texts of a batch begin: each is read once, and the texts are forks of what was read. So the texts of one
// prompt under several strengths or policies cost one prompt. Loaded with batches whose prompts repeat.
//
// A group is a run of equal prompts in a list. What it reads, rows of tokens without their last, is kept until each of its prompts has
// taken its forks; the last token is every text's own, since policies act after it. Rows that begin alike are read from where they part.
//
// Invariant: a fork has the keys and statistics that its own policy would have kept of the row (`keepsAlike`).

import type { Keeping } from "../cache/keeping.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import type { SequenceOptions, WatchableDecoder } from "../generate/decoder.ts";
import type { EngineDecoder } from "./engine-decoder.ts";
import type { Steps } from "./steps.ts";
import type { Prompt } from "./prompts.ts";

/** A row of a text: its prompt's tokens, masked ones replaced. */
export interface PromptRow {
  readonly tokens: readonly number[];
  /** [count, dim] vectors that its tokens from vocabSize on name */
  readonly vectors?: Float32Array | undefined;
}

/** Makes a decoder that opens its first sequences with the keys of these rows. */
export type ShareRows = (rows: readonly PromptRow[]) => Promise<WatchableDecoder>;

/** Tokens that are being read, or have been. */
interface Read extends PromptRow {
  readonly keeping: Keeping;
  readonly sequence: Promise<CachedSequence>;
}

/** A sequence of which a row has the first `shared` tokens. */
interface Base {
  readonly sequence?: Promise<CachedSequence> | undefined;
  readonly shared: number;
}

const NOTHING: Base = { shared: 0 };

/** A row of one text, all but its last token read. */
interface Held {
  readonly tokens: readonly number[];
  readonly sequence: CachedSequence;
}

/** What the prompts of a list share. */
export class SharedPrompts {
  readonly #groups: readonly (PromptGroup | undefined)[];

  constructor(steps: Steps, prompts: readonly Prompt[]) {
    const groups: (PromptGroup | undefined)[] = [];
    for (let begin = 0; begin < prompts.length;) {
      let end = begin + 1;
      while (end < prompts.length && isSame(prompts[begin], prompts[end])) end++;
      const group = end - begin > 1 ? new PromptGroup(steps, end - begin) : undefined;
      for (; begin < end; begin++) groups.push(group);
    }
    this.#groups = groups;
  }

  /** The part of the prompt with this index in what its group reads; undefined for a prompt that stands alone. */
  partOf(index: number): PromptPart | undefined {
    const group = this.#groups[index];
    return group && new PromptPart(group);
  }

  /** Frees what was read for prompts that were never begun. */
  dispose(): void {
    for (const group of new Set(this.#groups)) group?.dispose();
  }
}

/** The part of one prompt in its group. To be disposed of, also if it has taken nothing. */
export class PromptPart {
  readonly #group: PromptGroup;
  #held: Held[] = [];
  #isInGroup = true;

  constructor(group: PromptGroup) {
    this.#group = group;
  }

  /** Waits until the rows have been read, and returns a decoder that opens sequences with their keys. Rejects with what reading failed with. */
  async take(
    decoder: EngineDecoder,
    rows: readonly PromptRow[],
    signal: AbortSignal | undefined,
  ): Promise<WatchableDecoder> {
    try {
      this.#held = await this.#group.forksOf(decoder, rows, signal);
    } finally {
      this.#leave();
    }
    return this.#decoderOf(decoder);
  }

  dispose(): void {
    this.#leave();
    for (const { sequence } of this.#held.splice(0)) this.#group.close(sequence);
  }

  #leave(): void {
    if (this.#isInGroup) this.#group.leave();
    this.#isInGroup = false;
  }

  #decoderOf(decoder: WatchableDecoder): WatchableDecoder {
    const held = (tokens: readonly number[]): CachedSequence | undefined => {
      const at = this.#held.findIndex((row) => isSame(row.tokens, tokens));
      return at < 0 ? undefined : this.#held.splice(at, 1)[0]!.sequence;
    };
    return {
      vocabSize: decoder.vocabSize,
      contextLength: decoder.contextLength,
      combines: decoder.combines,
      held,
      open: (options: SequenceOptions = {}) => held(options.prefix ?? []) ?? decoder.open(options),
      openWatched: (onAttention, options) => decoder.openWatched(onAttention, options),
      fork: (sequence) => decoder.fork(sequence),
      close: (sequence) => decoder.close(sequence),
      logits: (feeds, signal) => decoder.logits(feeds, signal),
      greedy: (feeds, signal) => decoder.greedy(feeds, signal),
      ...(decoder.topLogits && { topLogits: (feeds, options, signal) => decoder.topLogits!(feeds, options, signal) }),
      ...(decoder.greedyRun && { greedyRun: (feeds, steps, signal) => decoder.greedyRun!(feeds, steps, signal) }),
    };
  }
}

/** Reads each row of its prompts once. */
class PromptGroup {
  readonly #steps: Steps;
  readonly #reads: Read[] = [];
  /** prompts that have not taken their forks */
  #left: number;

  constructor(steps: Steps, prompts: number) {
    this.#steps = steps;
    this.#left = prompts;
  }

  /** A fork of each row without its last token, with the keys that the decoder's policy keeps of it. */
  async forksOf(decoder: EngineDecoder, rows: readonly PromptRow[], signal: AbortSignal | undefined): Promise<Held[]> {
    const steps = this.#steps;
    const { keeping } = decoder;
    const reads = rows.map(({ tokens, vectors }) =>
      this.#readOf({ tokens: tokens.slice(0, -1), vectors }, decoder, signal),
    );
    const sequences = await Promise.all(reads.map(({ sequence }) => sequence));
    signal?.throwIfAborted();
    return rows.map(({ vectors }, i) => {
      const { tokens } = reads[i]!;
      return { tokens, sequence: steps.fork(sequences[i]!, { keeping, vectors }) };
    });
  }

  leave(): void {
    this.#left--;
    if (this.#left === 0) this.dispose();
  }

  dispose(): void {
    for (const { sequence } of this.#reads.splice(0)) {
      void sequence.then(
        (read) => this.close(read),
        () => {},
      );
    }
  }

  close(sequence: CachedSequence): void {
    this.#steps.close(sequence);
  }

  #readOf({ tokens, vectors }: PromptRow, decoder: EngineDecoder, signal: AbortSignal | undefined): Read {
    const { keeping, vocabSize } = decoder;
    // Vectors count only where they are named.
    const named = tokens.some((token) => token >= vocabSize) ? vectors : undefined;
    const known = this.#reads.find(
      (read) => isSame(read.tokens, tokens) && isSame(read.vectors, named) && keepsAlike(read.keeping, keeping),
    );
    if (known) return known;
    const bases = this.#reads
      .filter((read) => keepsAlike(read.keeping, keeping))
      .map(({ tokens: own, sequence }) => ({ sequence, shared: commonLength(own, tokens, vocabSize) }));
    const base = bases.reduce<Base>((best, one) => (one.shared > best.shared ? one : best), NOTHING);
    const sequence = this.#read({ tokens, vectors: named }, decoder, base, signal);
    sequence.catch(() => {}); // whoever takes it hears of it
    const read: Read = { tokens, vectors: named, keeping, sequence };
    this.#reads.push(read);
    return read;
  }

  async #read(
    { tokens, vectors }: PromptRow,
    decoder: EngineDecoder,
    base: Base,
    signal: AbortSignal | undefined,
  ): Promise<CachedSequence> {
    const steps = this.#steps;
    const { shared } = base;
    let sequence: CachedSequence | undefined;
    if (base.sequence && shared > 0) {
      sequence = steps.fork(await base.sequence, { keeping: decoder.keeping, vectors });
      if (!steps.truncate(sequence, shared)) {
        steps.close(sequence); // the policy's statistics know what follows
        sequence = undefined;
      }
    }
    sequence ??= decoder.open({ vectors });
    sequence.promptLength = tokens.length + 1;
    sequence.stored.policy = undefined; // the bytes of the forks are counted, as if each had read its prompt
    try {
      const rest = tokens.slice(sequence.length);
      const { promptLength } = sequence;
      if (rest.length > 0) await decoder.greedy([{ sequence, tokens: rest, promptLength }], signal);
      return sequence;
    } catch (error) {
      steps.close(sequence);
      throw error;
    }
  }
}

/** True if sequences of both have the same keys, and the same statistics of them, after all tokens of a prompt but the last. */
export function keepsAlike(one: Keeping, other: Keeping): boolean {
  if (one === other) return true;
  const { policy } = one;
  const alike = (of: (keeping: Keeping) => unknown) => JSON.stringify(of(one)) === JSON.stringify(of(other));
  return (
    one.stepKey === other.stepKey &&
    choiceInPrompt(one.policy) === choiceInPrompt(other.policy) &&
    alike(({ dropRule }) => dropRule) &&
    alike(({ policy: { statistics = [], observedQueries } }) => [statistics, observedQueries]) &&
    (one.rule.segmented === 0 || policy.isAnchor === other.policy.isAnchor)
  );
}

/** What may drop keys before the prompt's last token, besides a rule. */
function choiceInPrompt({ keep, keepsPrompt }: CachePolicy): CachePolicy["keep"] {
  return keepsPrompt === true ? undefined : keep;
}

/** Tokens with which both begin, without named vectors. */
function commonLength(one: readonly number[], other: readonly number[], vocabSize: number): number {
  const most = Math.min(one.length, other.length);
  for (let i = 0; i < most; i++) if (one[i] !== other[i] || one[i]! >= vocabSize) return i;
  return most;
}

function isList(list: unknown): list is ArrayLike<number> {
  return Array.isArray(list) || list instanceof Float32Array;
}

/** True for equal texts, equal lists of numbers, and the same object. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!isList(one) || !isList(other) || one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
