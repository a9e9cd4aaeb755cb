// The data of a family: the names of its tensors, and the choices that config.json does not spell out. ModelConfig tells whether a
// weight exists that a config can turn off (biases, norms of q and k). weight-list.ts makes the list of a model's
// weights from both. Names are those of the checkpoint with the base model's prefix left out; a `{i}` stands for the layer.

import type { ModelConfig } from "../../../loaders/index.ts";

/** A weight and the bias that may go with it, by the name they share: `NAME.weight`, `NAME.bias`. */
export type ModuleName = string;

/** Rows begin..begin+count of the checkpoint's matrix. */
export interface RowRun {
  readonly begin: number;
  readonly count: number;
}

/** Where q, k and v come from: three matrices, or one whose rows are put in the order [q | k | v], heads in order. */
export type QkvNames =
  | { readonly q: ModuleName; readonly k: ModuleName; readonly v: ModuleName }
  | { readonly fused: ModuleName; readonly order: (config: ModelConfig) => readonly RowRun[] };

export interface Family {
  /** tried in turn; the first under which the token embedding is found */
  readonly prefixes: readonly string[];
  readonly norm: "rms" | "layer";
  /** 1 where checkpoints store a norm's weight minus one */
  readonly normWeightOffset: 0 | 1;
  /** rotated pairs are neighbors (2i, 2i + 1) instead of (i, i + dims / 2) */
  readonly isInterleaved: boolean;
  /** matrices are stored [inputs, outputs] (GPT-2's Conv1D) */
  readonly isTransposed: boolean;
  readonly embeddingScale: (config: ModelConfig) => number;

  readonly embedding: ModuleName;
  readonly positions?: ModuleName;
  readonly finalNorm: ModuleName;
  /** without the prefix */
  readonly head: ModuleName;
  readonly hasHeadBias: boolean;
  readonly layer: {
    readonly attentionNorm: ModuleName;
    readonly qkv: QkvNames;
    readonly qNorm?: ModuleName;
    readonly kNorm?: ModuleName;
    readonly out: ModuleName;
    /** normed before they are added to the residual */
    readonly postAttentionNorm?: ModuleName;
    /** absent where attention and feed-forward network, which then are parallel, read one and the same norm */
    readonly mlpNorm?: ModuleName;
    /** where there is one, the feed-forward network is act(gate) · up */
    readonly gate?: ModuleName;
    readonly up: ModuleName;
    readonly down: ModuleName;
    readonly postMlpNorm?: ModuleName;
  };
  /** tensors that checkpoints carry and nothing needs, such as stored masks */
  readonly ignored?: RegExp;
}
