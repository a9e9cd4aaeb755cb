// The inputs of a step: tokens, positions, slots, ranges of keys and rotations, which are written before its recording is replayed,
// and the variables of the calls. Planning a step appends its rows to the store, so it must run before another one is planned.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import { checkOpen } from "../cache/stored-sequence.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Read, Step, Tensor, Write } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import type { Choosing } from "./choices.ts";
import { rowsOf, type Part } from "./part.ts";
import type { Rotation } from "./rotation.ts";

/** The inputs of a step. */
export interface StepInputs {
  readonly rows: number;
  /** length of the longest range of a row: columns of the patterns */
  readonly columns: number;
  readonly writes: readonly Write[];
  readonly variables: Readonly<Record<string, number>>;
}

/** The parts of a model that steps are planned with. */
export interface PlanningParts {
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly activations: Activations;
  readonly rotation: Rotation | undefined;
}

/** Options of {@link planStep}. */
export interface PlanOptions {
  /** rows whose logits are wanted; memory for them is reserved */
  readonly outputs: readonly number[];
  /** what the outputs are combined to, if the recording combines; `ahead` steps after the one whose tokens are known */
  readonly choosing?: Choosing | undefined;
  readonly ahead?: number | undefined;
  /** the recording computes patterns; memory for them is reserved */
  readonly hasPatterns?: boolean;
}

/**
 * Appends a step's rows to sequences that can share a step and returns the step's inputs. The store can roll the rows back until they
 * are confirmed. Throws as {@link checkFeed} and `CacheStore.append` do, before any sequence changes.
 */
export function planStep(
  { config, contextLength, activations, rotation }: PlanningParts,
  store: CacheStore,
  parts: readonly Part[],
  { outputs, choosing, ahead = 0, hasPatterns = false }: PlanOptions,
): StepInputs {
  const { ports } = activations;
  for (const { sequence, tokens } of parts) checkFeed(sequence, tokens, config.vocabSize, contextLength);
  const rows = rowsOf(parts);
  const positions = new Uint32Array(rows);
  const tokens = new Uint32Array(rows);
  let [row, columns] = [0, 0];
  for (const part of parts) {
    const { length, stored } = part.sequence;
    for (const list of stored.lists) columns = Math.max(columns, list.length + part.tokens.length);
    tokens.set(tableRows(part, config.vocabSize), row);
    for (let offset = 0; offset < part.tokens.length; offset++) positions[row++] = length + offset;
  }
  const patternCells = hasPatterns ? rows * columns : 0;
  activations.reserve({ rows, outputs: outputs.length, choices: choosing?.count ?? 0, patternCells });
  // Strengths that cannot be are refused here, before the rows are appended.
  const ofChoices = choosing?.writes(ahead) ?? [];
  const appended = store.append(
    parts.map(({ sequence, tokens: own }) => ({
      sequence: sequence.stored,
      // sequences that share a step may differ in what an anchor is
      anchors: own.map((token, offset) => sequence.keeping.isAnchor(token, sequence.length + offset)),
    })),
  );
  const writes: Write[] = [
    { tensor: ports.tokens, data: tokens }, // [rows]
    { tensor: ports.positions, data: positions }, // [rows]
    { tensor: ports.slots, data: appended.slots }, // [lists, rows]
    { tensor: ports.ranges, data: appended.ranges }, // [lists, rows, 4]
    ...appended.writes,
  ];
  if (outputs.length > 0) writes.push({ tensor: ports.outputRows, data: Uint32Array.from(outputs) }); // [outputs]
  writes.push(...ofChoices);
  if (ports.rotation && rotation) writes.push({ tensor: ports.rotation, data: rotation.table(positions) });
  const { window: _window, ...rule } = parts[0]!.sequence.keeping.rule; // each layer has its own window
  const variables: Record<string, number> = {
    ...rule,
    rows,
    outputs: outputs.length,
    entryCount: store.entryCount,
    vectorCount: activations.vectors.rowCount,
    columns,
    doubleColumns: columns * 2,
    softmaxRows: rows * config.heads,
    ...choosing?.variables,
  };
  for (const [list, pool] of store.pools.entries()) variables[`slotCount.${list}`] = pool.slotCount;
  return { rows, columns, writes, variables };
}

/**
 * Plans at most `count` greedy steps of one token each, up to call `end` of the recording. The first step feeds the parts' tokens; each
 * later step feeds, on the device, the tokens that the step before chose, one for all rows of a choice if rows are combined. No memory grows after the first step, so that the steps can
 * be rolled back.
 */
export function planAhead(
  planning: PlanningParts,
  store: CacheStore,
  parts: readonly Part[],
  { count, end, choosing }: { readonly count: number; readonly end: number } & Pick<PlanOptions, "choosing">,
): readonly Step[] {
  const { tokens, best, outputRows } = planning.activations.ports;
  const rows = parts.length;
  const outputs = [...parts.keys()];
  const reads = [wholeRead(best, choosing?.count ?? rows)];
  const first = planStep(planning, store, parts, { outputs, choosing });
  const steps: Step[] = [{ variables: first.variables, writes: first.writes, reads, end }];
  const inContext = parts.map(({ sequence }) => planning.contextLength - sequence.length);
  const more = Math.min(count - 1, store.stepsOfRoom(parts.map(({ sequence }) => sequence.stored)), ...inContext);
  const unknown = parts.map(({ sequence }) => ({ sequence, tokens: [0] }));
  const copies = [{ from: choosing?.chosen ?? best, to: tokens, length: rows }];
  for (let step = 1; step <= more; step++) {
    const { variables, writes } = planStep(planning, store, unknown, { outputs, choosing, ahead: step });
    // The tokens are copied on the device; the output rows are the same in all steps.
    const known = writes.filter(({ tensor }) => tensor !== tokens && tensor !== outputRows);
    steps.push({ variables, writes: known, copies, reads, end });
  }
  return steps;
}

/**
 * Checks that tokens can be fed to a sequence. Throws a TypeError if it is closed, a RangeError for a token that is neither in the
 * vocabulary nor one of the sequence's vectors, and for more tokens than the context holds.
 */
export function checkFeed(
  { stored, vectors }: CachedSequence,
  tokens: readonly number[],
  vocabSize: number,
  contextLength: number,
): void {
  checkOpen(stored);
  const limit = vocabSize + (vectors?.count ?? 0);
  const bad = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < limit));
  if (bad !== undefined) throw new RangeError(`token ${bad} is not in the vocabulary of ${vocabSize}`);
  const length = stored.length + tokens.length;
  if (length > contextLength) {
    throw new RangeError(`the sequence would have ${length} tokens; the model's context holds ${contextLength}`);
  }
}

/** Rows of the embedding that a part's tokens name; the table of vectors follows the embedding's rows. */
function tableRows({ sequence: { vectors }, tokens }: Part, vocabSize: number): readonly number[] {
  return vectors ? tokens.map((token) => (token < vocabSize ? token : token + vectors.begin)) : tokens;
}

/** Reads the first `end` numbers of a tensor. */
export function wholeRead(tensor: Tensor, end: number): Read {
  return { tensor, begin: 0, end };
}
