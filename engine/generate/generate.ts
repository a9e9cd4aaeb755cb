// Generates text after prompts, as an async iterator. All rows (each sample of each prompt) take their steps together, as one batch of
// the decoder; each gives the same text as it would alone. A row that ends leaves the batch and its sequence is closed at once. Every
// sequence is closed before the iterator ends, also after an abort, an error or the caller's `break`.

import type { Decoder, DecoderSequence, Feed, TopLogits } from "./decoder.ts";
import { checkAlternatives, logProbOf, type ChosenLogProb } from "./log-probs.ts";
import { anySeed, createRandom, rowSeed } from "./random.ts";
import { noToken } from "./ranking.ts";
import { Row, type Piece, type MakeTextStream } from "./rows.ts";
import { Sampler, type SamplingOptions } from "./sampler.ts";
import { StopRules, type FinishReason, type StopOptions } from "./stop.ts";

/** The place in a run of the logits that a hook edits. */
export interface LogitsContext {
  /** the row's prompt and generated tokens; valid during the call */
  readonly tokens: readonly number[];
  /** how many of them are the prompt */
  readonly promptLength: number;
  /** index of the row: promptIndex * samples + sampleIndex */
  readonly row: number;
}

/** Edits logits [vocabSize] in place before the sampler sees them; -Infinity forbids a token. */
export type LogitsHook = (logits: Float32Array, context: LogitsContext) => void | Promise<void>;

/** Options of {@link generate}: how tokens are chosen, when rows end, how many there are. */
export interface GenerateOptions extends SamplingOptions, StopOptions {
  /** texts per prompt, default 1; the prompt's tokens are fed once */
  readonly samples?: number | undefined;
  /** return log-probabilities of each chosen token and of this many likeliest ones; 0 for the chosen token only */
  readonly logProbs?: number | undefined;
  readonly logitsHook?: LogitsHook | undefined;
  /** an abort ends the run within one token: the iterator throws the signal's reason; after the last piece it has no effect */
  readonly signal?: AbortSignal | undefined;
}

/** A finished row. */
export interface Generation {
  readonly text: string;
  /** all tokens generated, a stop token and those of a stop string included */
  readonly tokens: readonly number[];
  readonly promptIndex: number;
  readonly sampleIndex: number;
  readonly finishReason: FinishReason;
  /** one for each of `tokens`, if asked for */
  readonly logProbs?: readonly ChosenLogProb[];
}

interface Run {
  readonly decoder: Decoder;
  readonly makeTextStream: MakeTextStream;
  readonly prompts: readonly (readonly number[])[];
  readonly samples: number;
  readonly seed: number;
  readonly sampler: Sampler;
  readonly rules: StopRules;
  readonly logProbs: number | undefined;
  readonly logitsHook: LogitsHook | undefined;
  readonly signal: AbortSignal | undefined;
  /** [vocabSize]: copy of a row's logits for bias, penalties and hooks to edit; empty if there are none */
  readonly scratch: Float32Array;
  /** consecutive steps whose top-K logits were not enough */
  misses: number;
}

/** After this many consecutive misses a run reads whole rows only. */
const MAX_MISSES = 8;

/**
 * Generates text after each of the prompts [tokens] and yields it in pieces as it is chosen, rows interleaved.
 *
 * The decoder chooses the tokens of greedy runs without bias, penalties, hook and log-probabilities. Runs with topK, topP or minP and
 * without those read the top-K logits where they are enough; all other runs read whole rows. The random numbers of a row start at
 * `rowSeed(seed, sampleIndex)`: sample 0 is the plain run, and a prompt's texts do not depend on the other prompts. Prompt and text
 * together have at most `contextLength` tokens.
 *
 * Throws RangeError, before the first step, on an option out of range, an empty prompt, a prompt that leaves no room in the
 * context, or a token outside the vocabulary. The iterator throws the signal's reason on an abort, a RangeError on logits of which one
 * is NaN or Infinity or all are -Infinity, and what decoder, hook or predicate throw.
 */
export function generate(
  decoder: Decoder,
  makeTextStream: MakeTextStream,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): AsyncGenerator<Piece, void, undefined> {
  const { samples = 1, seed = anySeed(), logProbs, logitsHook, signal } = options;
  const { vocabSize, contextLength } = decoder;
  if (!Number.isInteger(samples) || samples < 1) {
    throw new RangeError(`samples is ${samples}: it must be a whole number of at least 1`);
  }
  rowSeed(seed, 0); // refuses a seed out of range now rather than with the first token
  if (logProbs !== undefined) checkAlternatives(logProbs, vocabSize);
  for (const [i, prompt] of prompts.entries()) checkPrompt(i, prompt, vocabSize, contextLength);
  const sampler = new Sampler(vocabSize, options);
  const rules = new StopRules(options, vocabSize, contextLength);
  const scratch = new Float32Array(sampler.adjusts || logitsHook !== undefined ? vocabSize : 0);
  return steps({
    decoder,
    makeTextStream,
    prompts,
    samples,
    seed,
    sampler,
    rules,
    logProbs,
    logitsHook,
    signal,
    scratch,
    misses: 0,
  });
}

function checkPrompt(index: number, prompt: readonly number[], vocabSize: number, contextLength: number): void {
  if (prompt.length === 0) throw new RangeError(`prompt ${index} is empty: it must have 1 token or more`);
  if (prompt.length >= contextLength) {
    throw new RangeError(
      `prompt ${index} has ${prompt.length} tokens and leaves no room in a context of ${contextLength}: shorten it to ${contextLength - 1} or fewer`,
    );
  }
  for (const [at, token] of prompt.entries()) {
    if (!Number.isInteger(token) || token < 0 || token >= vocabSize) {
      throw new RangeError(`prompt ${index} has token ${token} at ${at}: the vocabulary has ${vocabSize} tokens`);
    }
  }
}

async function* steps(run: Run): AsyncGenerator<Piece, void, undefined> {
  const { decoder, prompts, signal } = run;
  const open = new Set<DecoderSequence>();
  const track = (sequence: DecoderSequence): DecoderSequence => {
    open.add(sequence);
    return sequence;
  };
  const close = (sequence: DecoderSequence): void => {
    // Removed first, so that a close that throws is not repeated.
    if (open.delete(sequence)) decoder.close(sequence);
  };
  try {
    signal?.throwIfAborted();
    let feeds: Feed[] = prompts.map((tokens) => {
      const sequence = track(decoder.open({ prefix: tokens.slice(0, -1) }));
      return { sequence, tokens: tokens.slice(sequence.length), promptLength: tokens.length };
    });
    let rows: Row[] | undefined;
    while (feeds.length > 0) {
      let last: readonly Piece[] = [];
      for await (const answers of ask(run, feeds, rows)) {
        // At first one answer per prompt, shared by its samples; then one per row.
        const answerOf =
          rows === undefined ? (row: Row) => answers[row.promptIndex] : (_: Row, i: number) => answers[i];
        rows ??= feeds.flatMap(({ sequence }, prompt) =>
          begin(run, sequence, prompt, (past) => track(decoder.fork(past))),
        );
        // All tokens are chosen before any piece is yielded, because the caller may use the decoder in between.
        const pieces: Piece[] = [];
        for (const [i, row] of rows.entries()) {
          const [token, logProb] = await choose(run, row, answerOf(row, i));
          const piece = row.accept(token, logProb);
          if (piece !== undefined) pieces.push(piece);
        }
        if (rows.some((row) => row.finishReason !== undefined)) {
          last = pieces;
          break; // rolls back the steps that ran ahead; then the ended rows are closed
        }
        yield* show(pieces, signal);
      }
      for (const row of rows!) if (row.finishReason !== undefined) close(row.sequence);
      rows = rows!.filter((row) => row.finishReason === undefined);
      feeds = rows.map((row) => ({ sequence: row.sequence, tokens: row.tokens.slice(-1) }));
      yield* show(last, signal);
    }
  } finally {
    for (const sequence of open) close(sequence);
  }
}

function* show(pieces: readonly Piece[], signal: AbortSignal | undefined): Generator<Piece, void, undefined> {
  for (const piece of pieces) {
    signal?.throwIfAborted();
    yield piece;
  }
}

/** The decoder's answer to a feed: the token that it chose, or a row's logits or top-K logits for the sampler. */
type Answer = number | TopLogits | Float32Array;
type Answers = ArrayLike<Answer>;

/** The decoder's answers to the feeds; in greedy runs followed by those of steps that ran ahead, until a row must end. */
async function* ask(
  run: Run,
  feeds: readonly Feed[],
  rows: readonly Row[] | undefined,
): AsyncGenerator<Answers, void, undefined> {
  const { decoder, signal } = run;
  signal?.throwIfAborted();
  if (!letsDecoderChoose(run)) yield checked(run, feeds, await askForLogits(run, feeds));
  else if (rows === undefined || decoder.greedyRun === undefined) {
    yield checked(run, feeds, await decoder.greedy(feeds, signal));
  } else {
    const most = Math.min(...rows.map(({ tokensLeft }) => tokensLeft));
    for await (const answers of decoder.greedyRun(feeds, most, signal)) yield checked(run, feeds, answers);
  }
}

function letsDecoderChoose({ sampler, logProbs, logitsHook }: Run): boolean {
  return sampler.isGreedy && !sampler.adjusts && logitsHook === undefined && logProbs === undefined;
}

/** The logits of each feed, or its top-K logits where the sampler needs no more. */
async function askForLogits(run: Run, feeds: readonly Feed[]): Promise<(TopLogits | Float32Array)[]> {
  const { decoder, sampler, logProbs, logitsHook, signal } = run;
  const isFew = sampler.drawsFromTopLogits && logitsHook === undefined && logProbs === undefined;
  if (!isFew || decoder.topLogits === undefined || run.misses >= MAX_MISSES) return decoder.logits(feeds, signal);
  const isEnough = (top: TopLogits) => sampler.isEnough(top);
  const answers = await decoder.topLogits(feeds, { temperature: sampler.temperature, isEnough }, signal);
  run.misses = answers.some((answer) => answer instanceof Float32Array) ? run.misses + 1 : 0;
  return answers;
}

function checked({ signal }: Run, feeds: readonly Feed[], answers: Answers): Answers {
  signal?.throwIfAborted();
  if (answers.length === feeds.length) return answers;
  throw new Error(`the decoder gave ${answers.length} answers to ${feeds.length} feeds`);
}

/** Makes the rows of a prompt whose tokens have been fed: the first takes the sequence, the others fork it. */
function begin(
  run: Run,
  sequence: DecoderSequence,
  promptIndex: number,
  fork: (past: DecoderSequence) => DecoderSequence,
): Row[] {
  const promptTokens = run.prompts[promptIndex]!;
  return Array.from({ length: run.samples }, (_, sampleIndex) => {
    return new Row({
      promptIndex,
      sampleIndex,
      promptTokens,
      sequence: sampleIndex === 0 ? sequence : fork(sequence),
      text: run.makeTextStream(promptTokens),
      random: createRandom(rowSeed(run.seed, sampleIndex)),
      rules: run.rules,
      needsCounts: run.sampler.needsCounts,
    });
  });
}

async function choose(run: Run, row: Row, answer: Answer | undefined): Promise<[number, ChosenLogProb?]> {
  const { sampler, logitsHook, logProbs, scratch, samples } = run;
  if (answer === undefined || typeof answer === "number") {
    if (answer !== undefined && answer < sampler.vocabSize) return [answer];
    if (answer === sampler.vocabSize) throw noToken(answer);
    throw new Error(`the decoder chose token ${answer}: the vocabulary has ${sampler.vocabSize} tokens`);
  }
  if (!(answer instanceof Float32Array)) return [sampler.pickFromTopLogits(answer, row.random)];
  if (answer.length !== sampler.vocabSize) {
    throw new Error(`the decoder gave ${answer.length} logits for a vocabulary of ${sampler.vocabSize} tokens`);
  }
  let logits = answer;
  if (scratch.length > 0) {
    // The decoder's array is not changed: the samples of a prompt share it, and log-probabilities are read from it.
    scratch.set(answer);
    logits = scratch;
  }
  if (logitsHook !== undefined) {
    const { tokens, promptLength } = row;
    await logitsHook(logits, { tokens, promptLength, row: row.promptIndex * samples + row.sampleIndex });
    run.signal?.throwIfAborted();
  }
  sampler.adjust(logits, row.counts);
  const token = sampler.pick(logits, row.random);
  return logProbs === undefined ? [token] : [token, logProbOf(answer, token, logProbs)];
}

/** Gathers pieces into finished rows, in the order of prompts and samples. */
export async function collect(pieces: AsyncIterable<Piece>): Promise<Generation[]> {
  const gathered = new Map<string, Piece[]>();
  for await (const piece of pieces) {
    const row = `${piece.promptIndex}.${piece.sampleIndex}`;
    const earlier = gathered.get(row);
    if (earlier === undefined) gathered.set(row, [piece]);
    else earlier.push(piece);
  }
  const rows = [...gathered.values()].map(join);
  return rows.sort((a, b) => a.promptIndex - b.promptIndex || a.sampleIndex - b.sampleIndex);
}

function join(pieces: readonly Piece[]): Generation {
  const last = pieces[pieces.length - 1];
  if (last?.finishReason === undefined)
    throw new Error(`the pieces end before row ${last?.promptIndex}.${last?.sampleIndex} does`);
  const { promptIndex, sampleIndex, finishReason, logProbs } = last;
  return {
    text: pieces.map((piece) => piece.text).join(""),
    tokens: pieces.flatMap((piece) => piece.tokens),
    promptIndex,
    sampleIndex,
    finishReason,
    ...(logProbs !== undefined && { logProbs: pieces.flatMap((piece) => piece.logProbs ?? []) }),
  };
}
