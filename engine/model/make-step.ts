// Makes a step, or several that run ahead: appends rows, writes inputs, replays a recording up to a stage, reads results back, confirms
// the rows and lets the policies drop keys.
//
// Invariant: a step that fails changes no sequence. Its rows are rolled back, so that it can be made again, or without some of them.

import type { ModelConfig } from "../../loaders/index.ts";
import type { applyPolicy as ApplyPolicy, StepStatistics } from "../cache/eviction.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Device, Read, Write } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import type { Choices, Choosing } from "./choices.ts";
import type { Stage } from "./draft.ts";
import { appendedOf, type Part } from "./part.ts";
import type { Prepared } from "./recordings.ts";
import { planAhead, planStep, wholeRead, type PlanningParts } from "./step-inputs.ts";

/** A step to make. */
export interface StepRequest {
  /** rows of sequences with one `stepKey`; each sequence once */
  readonly parts: readonly Part[];
  /** rows of the step whose logits are wanted */
  readonly outputs: readonly number[];
  /** what the outputs are combined to; absent in steps that combine nothing */
  readonly choices?: Choices | undefined;
  readonly until: Stage;
  /** [outputs] tokens, for the stage "scored" */
  readonly targets?: readonly number[] | undefined;
  /** further variables of the recording */
  readonly variables?: Readonly<Record<string, number>> | undefined;
}

/** Numbers read from the device. */
export type Numbers = Float32Array | Uint32Array;

/** The reads of a step. */
export interface StepReads {
  readonly reads: (activations: Activations) => readonly Read[];
  /** further reads, made after the first results have arrived and before anything else runs */
  readonly more?: ((data: readonly Numbers[], activations: Activations) => readonly Read[]) | undefined;
}

/** What a step came to. */
export interface StepOutcome {
  /** in the order of the reads, followed by those of `more` */
  readonly data: readonly Numbers[];
  /** what the policies or watchers of parts failed with, by the index of the part; the others are not affected */
  readonly failures: ReadonlyMap<number, unknown>;
}

/** What steps of one way of keeping keys are made with. */
export interface StepMaking {
  readonly device: Device;
  readonly config: ModelConfig;
  readonly planning: PlanningParts;
  readonly store: CacheStore;
  readonly prepared: Prepared;
  /** absent in steps that combine nothing */
  readonly choosing?: Choosing | undefined;
  /** absent where no policy of the parts acts between steps */
  readonly applyPolicy: typeof ApplyPolicy | undefined;
}

/** Makes one step. Throws as {@link planStep} and the device do; no sequence has changed then. */
export async function makeStep(making: StepMaking, request: StepRequest, reading: StepReads): Promise<StepOutcome> {
  const { device, config, planning, store, prepared, choosing } = making;
  const { activations } = planning;
  const { parts, outputs } = request;
  const { attentionLayers, wantsKeyNorms } = parts[0]!.sequence.keeping;
  const inputs = planStep(planning, store, parts, { outputs, choosing, hasPatterns: attentionLayers.length > 0 });
  return undoing(store, parts, async () => {
    const { rows, columns } = inputs;
    const normLayers = wantsKeyNorms ? Array.from({ length: config.layers }, (_, layer) => layer) : [];
    const own = reading.reads(activations);
    const values = await device.run(prepared.executable, {
      variables: { ...inputs.variables, ...request.variables },
      writes: [...inputs.writes, ...targetsOf(request, activations)],
      reads: [
        ...own,
        ...attentionLayers.map((layer) => wholeRead(activations.attentionSums(layer), rows * columns)),
        ...normLayers.map((layer) => wholeRead(activations.keyNorms(layer), rows)),
      ],
      end: prepared.recording[request.until],
    });
    const data = values.slice(0, own.length);
    const statistics = values.slice(own.length) as Float32Array[];
    const further = await Promise.all((reading.more?.(data, activations) ?? []).map((read) => device.read(read)));
    const byLayer = (layers: readonly number[], offset: number) =>
      new Map(layers.map((layer, i) => [layer, statistics[offset + i]!]));
    store.confirm(appendedOf(parts));
    const failures = applyPolicies(making, parts, {
      attention: byLayer(attentionLayers, 0),
      keyNorms: byLayer(normLayers, attentionLayers.length),
      columns,
    });
    store.countStep(parts.map(({ sequence }) => sequence.stored));
    return { data: [...data, ...further], failures };
  });
}

/**
 * Makes 1 to `count` greedy steps of one token of each part: each feeds, on the device, the tokens that the one before chose. Resolves
 * with the [parts] tokens of each, or [choices] if the parts' logits are combined. Their rows are not confirmed. Throws as {@link makeStep} does.
 */
export async function makeStepsAhead(
  { device, planning, store, prepared, choosing }: StepMaking,
  parts: readonly Part[],
  count: number,
): Promise<readonly Uint32Array[]> {
  return undoing(store, parts, async () => {
    const steps = planAhead(planning, store, parts, { count, choosing, end: prepared.recording.greedy });
    return (await device.run(prepared.executable, ...steps)) as Uint32Array[];
  });
}

/** Does something with parts of which rows may be appended, and takes the rows back if it fails. */
async function undoing<T>(store: CacheStore, parts: readonly Part[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    for (const { sequence } of parts) if (sequence.isOpen) store.undo(sequence.stored);
    throw error;
  }
}

function targetsOf({ targets }: StepRequest, { ports }: Activations): readonly Write[] {
  return targets ? [{ tensor: ports.targets, data: Uint32Array.from(targets) }] : [];
}

function applyPolicies(
  { store, config, applyPolicy }: StepMaking,
  parts: readonly Part[],
  read: StepStatistics,
): ReadonlyMap<number, unknown> {
  const failures = new Map<number, unknown>();
  let begin = 0;
  for (const [i, { sequence, tokens }] of parts.entries()) {
    const rows = { sequence, begin, end: begin + tokens.length };
    begin = rows.end;
    try {
      if (sequence.isOpen) applyPolicy?.(store, rows, read, config);
    } catch (error) {
      failures.set(i, error);
    }
  }
  return failures;
}
