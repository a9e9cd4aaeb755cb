// What recording the forward pass takes: what the pass is made of, and how far it goes.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Activations } from "./activations.ts";
import type * as Combining from "./combining.ts";
import type { TapMarker } from "./draft.ts";
import type { ModelWeights } from "./weights.ts";

/** The inputs of recording the forward pass. */
export interface TransformerParts {
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly store: CacheStore;
  readonly activations: Activations;
}

/** How a pass ends. */
export interface Ending {
  /** with the top-K logits, to sample from, in place of argmax and log-probabilities */
  readonly wantsTopLogits?: boolean | undefined;
  /** outputs are combined, and tokens chosen from what comes of it: see choices.ts; then there are no log-probabilities */
  readonly combines?: boolean | undefined;
}

/** Options of recording the forward pass. */
export interface RecordOptions extends Ending {
  /** taps that callers read or replace */
  readonly taps?: TapMarker | undefined;
  /** layers whose attention, summed over heads, is left in `activations.attentionSums(layer)` */
  readonly attentionLayers?: readonly number[] | undefined;
  /** the norms of new keys are left in `activations.keyNorms(layer)` */
  readonly wantsKeyNorms?: boolean | undefined;
  /** begins at this layer, with the residual that the host writes at the tap "residual.in" */
  readonly startAtLayer?: number | undefined;
  /** ends before this layer, with the tap "residual.out" */
  readonly stopAtLayer?: number | undefined;
  /** records what `combines` asks for */
  readonly combining?: Pick<typeof Combining, "combine" | "handOut"> | undefined;
}
