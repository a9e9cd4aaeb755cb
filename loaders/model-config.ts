// A model's configuration in kedge's own terms. The engine knows nothing else of config.json.

import type { Rotary } from "./rotary.ts";

/** The values of `model_type` in config.json that kedge runs. */
export const MODEL_TYPES = [
  "llama",
  "mistral",
  "qwen2",
  "qwen3",
  "gpt2",
  "gpt_bigcode",
  "starcoder2",
  "codegen",
  "gpt_neox",
  "phi",
  "gemma2",
] as const;
/** One of {@link MODEL_TYPES}. */
export type ModelType = (typeof MODEL_TYPES)[number];

/** The activation after the first matrix of the feed-forward network; `gelu-tanh` is `gelu_new` / `gelu_pytorch_tanh`. */
export type Activation = "silu" | "gelu" | "gelu-tanh" | "relu";

/** The `anchor_attention` block (see docs: anchor attention). */
export interface AnchorConfig {
  readonly tokenIds: readonly number[];
  readonly sinks: number;
  readonly anchorSeesAnchors: boolean;
  /** target layer -> source layer, source < target */
  readonly layerMap: ReadonlyMap<number, number>;
}

/** Everything config.json says about a model's shape, in kedge's own terms. */
export interface ModelConfig {
  readonly modelType: ModelType;
  readonly vocabSize: number;
  /** width of the residual stream */
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** width inside the feed-forward network */
  readonly hiddenDim: number;
  /** most positions a sequence may have */
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly activation: Activation;
  /** null: positions are learned or absent */
  readonly rotary: Rotary | null;
  /** per layer: multiplies q·k before the softmax */
  readonly attentionScales: readonly number[];
  /** null: none */
  readonly attentionSoftcap: number | null;
  readonly logitSoftcap: number | null;
  /** per layer: how many last positions a query sees, 0 for all */
  readonly windows: readonly number[];
  readonly tiedEmbeddings: boolean;
  /**
   * attention and feed-forward network both read the layer's input and are both added to it: gpt_neox with
   * use_parallel_residual, each part behind its own norm; codegen and phi always, both behind one norm
   */
  readonly parallelResidual: boolean;
  /** q and k are normed per head before the rotation (qwen3; phi's qk_layernorm is refused) */
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly anchors: AnchorConfig | null;
  /** from config.json and generation_config.json; tokens beyond the vocabulary are left out */
  readonly beginTokenId: number | null;
  readonly endTokenIds: readonly number[];
  readonly padTokenId: number | null;
}
