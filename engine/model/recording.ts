// The recorded forward pass: the draft of transformer.ts, fused and bound to the device's tensors.

import type { Program } from "../devices/program.ts";
import { assemble, type Stage } from "./draft.ts";
import { fuse } from "./fuse.ts";
import type { Tap } from "./taps.ts";
import type { RecordOptions, TransformerParts } from "./record-options.ts";
import { draftForward } from "./transformer.ts";

/** A recorded forward pass. Its stages count calls: replay up to one of them to stop there. */
export interface Recording extends Readonly<Record<Stage, number>> {
  readonly program: Program;
  /** the requested taps, in the order in which a replay reaches them */
  readonly taps: readonly Tap[];
  /** keys and values are stored */
  readonly body: number;
  /** logits are there, combined ones in a recording that combines */
  readonly logits: number;
  /** the largest logit's token is in `best`, and in `chosen` for every output that it was combined from */
  readonly greedy: number;
  /** the targets' log-probabilities are in `logProbs` */
  readonly scored: number;
  /** the top-K logits are there (see top-logits.ts) */
  readonly topLogits: number;
}

/** Example values of a step's variables, with which `fuse` compares sizes. */
export const EXAMPLE = {
  rows: 1009,
  outputs: 1013,
  choices: 1015,
  wantsSum: 1,
  columns: 1019,
  doubleColumns: 2 * 1019,
  entryCount: 1021,
  vectorCount: 1031,
  inverseTemperature: 1,
  keepWindow: 0,
  sinks: 0,
  segmented: 0,
  keepRecent: 0,
  anchorSeesAnchors: 1,
};

/** Records the forward pass with as few calls as the requested taps allow. Only tensors that these calls use are created. */
export function recordForward(parts: TransformerParts, options: RecordOptions = {}): Recording {
  const { activations, config, store } = parts;
  const slotCounts = store.pools.map((_, list) => [`slotCount.${list}`, 1033] as const);
  const example = { ...EXAMPLE, softmaxRows: EXAMPLE.rows * config.heads, ...Object.fromEntries(slotCounts) };
  const entries = fuse(draftForward(parts, options), example);
  const label = options.taps ? "forward with taps" : "forward";
  const { program, taps, stages } = assemble(label, entries, (declared) => activations.make(declared));
  const logits = stages.get("logits")!;
  const at = (stage: Stage) => stages.get(stage) ?? logits;
  return {
    program,
    taps,
    body: at("body"),
    logits,
    greedy: at("greedy"),
    scored: at("scored"),
    topLogits: at("topLogits"),
  };
}
