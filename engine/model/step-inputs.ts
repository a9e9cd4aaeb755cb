// What a step writes before its recording is replayed: tokens, positions, slots, ranges of keys, rotations, and the variables of
// the calls. Planning a step appends its rows to the store, so the step must run before another one is planned.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Read, Step, Tensor, Write } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import type { Part } from "./chunks.ts";
import type { Rotation } from "./rotation.ts";

/** What a step writes, and its variables. */
export interface StepInputs {
  readonly rows: number;
  /** longest range of a row, in keys: columns of its patterns */
  readonly columns: number;
  readonly writes: readonly Write[];
  readonly variables: Readonly<Record<string, number>>;
}

/** What steps are planned with. */
export interface PlanningParts {
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly activations: Activations;
  readonly rotation: Rotation | undefined;
}

/** What a step is planned for. */
export interface PlanOptions {
  /** rows whose logits are wanted: room for them is made */
  readonly outputs: readonly number[];
  /** the recording makes patterns: room for them is made */
  readonly hasPatterns?: boolean;
  /** the rows may be rolled back until they are confirmed */
  readonly isAhead?: boolean;
}

/** Appends a step's rows to sequences of one group, and gathers what the step writes. Throws as {@link checkFeed} does. */
export function planStep(
  { config, contextLength, activations, rotation }: PlanningParts,
  store: CacheStore,
  parts: readonly Part[],
  { outputs, hasPatterns = false, isAhead = false }: PlanOptions,
): StepInputs {
  const { ports } = activations;
  const { keeping } = parts[0]!.sequence;
  for (const { sequence, tokens } of parts) checkFeed(sequence, tokens, config.vocabSize, contextLength);
  const positions = Uint32Array.from(
    parts.flatMap(({ sequence, tokens }) => tokens.map((_, offset) => sequence.length + offset)),
  );
  const plan = store.append(
    parts.map(({ sequence, tokens }) => ({
      sequence: sequence.stored,
      anchors: tokens.map((token, offset) => keeping.isAnchor(token, sequence.length + offset)),
    })),
    isAhead,
  );
  const { rows, longest: columns } = plan;
  activations.reserve({ rows, outputs: outputs.length, patternCells: hasPatterns ? rows * columns : 0 });
  const tokens = Uint32Array.from(parts.flatMap((part) => tableRows(part, config.vocabSize)));
  const writes: Write[] = [
    { tensor: ports.tokens, data: tokens }, // [rows]
    { tensor: ports.positions, data: positions }, // [rows]
    { tensor: ports.slots, data: plan.slots }, // [lists, rows]
    { tensor: ports.ranges, data: plan.ranges }, // [lists, rows, 4]
    ...plan.writes,
  ];
  if (outputs.length > 0) writes.push({ tensor: ports.outputRows, data: Uint32Array.from(outputs) }); // [outputs]
  if (ports.rotation && rotation) writes.push({ tensor: ports.rotation, data: rotation.table(positions) });
  const { window: _window, ...rule } = keeping.rule; // each layer has its own window
  const variables: Record<string, number> = {
    ...rule,
    rows,
    outputs: outputs.length,
    entryCount: store.entryCount,
    vectorCount: activations.vectors.rowCount,
    columns,
    doubleColumns: columns * 2,
    softmaxRows: rows * config.heads,
  };
  for (const [list, pool] of store.pools.entries()) variables[`slotCount.${list}`] = pool.slotCount;
  return { rows, columns, writes, variables };
}

/**
 * Plans greedy steps of one token each, at most `count`, up to call `end` of the recording: the first feeds the parts' tokens, each
 * other one what the step before chose, on the device. Nothing on the device grows after the first: the steps may be rolled back.
 */
export function planAhead(
  planning: PlanningParts,
  store: CacheStore,
  parts: readonly Part[],
  { outputs, count, end }: { readonly outputs: readonly number[]; readonly count: number; readonly end: number },
): readonly Step[] {
  const { tokens, best, outputRows } = planning.activations.ports;
  const rows = parts.length;
  const reads = [wholeRead(best, rows)];
  const first = planStep(planning, store, parts, { outputs, isAhead: true });
  const steps: Step[] = [{ variables: first.variables, writes: first.writes, reads, end }];
  const inContext = parts.map(({ sequence }) => planning.contextLength - sequence.length);
  const more = Math.min(count - 1, store.stepsOfRoom(parts.map(({ sequence }) => sequence.stored)), ...inContext);
  const unknown = parts.map(({ sequence }) => ({ sequence, tokens: [0] }));
  const copies = [{ from: best, to: tokens, length: rows }];
  for (let step = 0; step < more; step++) {
    const { variables, writes } = planStep(planning, store, unknown, { outputs, isAhead: true });
    // The tokens are copied on the device, and the output rows are those of the first step.
    const known = writes.filter(({ tensor }) => tensor !== tokens && tensor !== outputRows);
    steps.push({ variables, writes: known, copies, reads, end });
  }
  return steps;
}

/**
 * Throws unless tokens can be fed to a sequence: a TypeError if it is closed, a RangeError for a token that is neither in the
 * vocabulary nor one of the sequence's vectors, and for more tokens than the context holds.
 */
export function checkFeed(
  { stored, vectors }: CachedSequence,
  tokens: readonly number[],
  vocabSize: number,
  contextLength: number,
): void {
  if (!stored.isOpen) throw new TypeError("this sequence is closed: open or fork one that is not");
  const limit = vocabSize + (vectors?.count ?? 0);
  const bad = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < limit));
  if (bad !== undefined) throw new RangeError(`token ${bad} is not in the vocabulary of ${vocabSize}`);
  const length = stored.length + tokens.length;
  if (length > contextLength) {
    throw new RangeError(`the sequence would have ${length} tokens; the model's context holds ${contextLength}`);
  }
}

/** Rows of the embedding, and behind them of the table of vectors, that a part's tokens name. */
function tableRows({ sequence: { vectors }, tokens }: Part, vocabSize: number): readonly number[] {
  return vectors ? tokens.map((token) => (token < vocabSize ? token : token + vectors.begin)) : tokens;
}

/** A read of the first `end` numbers of a tensor. */
export function wholeRead(tensor: Tensor, end: number): Read {
  return { tensor, begin: 0, end };
}
