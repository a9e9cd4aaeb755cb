// Taps: the named inner tensors of the forward pass. Names and tensors are TransformerLens'; `hook_out` of a norm is kedge's own.

import type { ModelConfig } from "../../loaders/index.ts";
import type { Tensor } from "../devices/device.ts";
import { families } from "./families/index.ts";

/** A named tensor of a recorded program, and the call after which it can be read and replaced. */
export interface Tap {
  readonly name: string;
  /** calls replayed before the tensor holds its value */
  readonly after: number;
  readonly tensor: Tensor;
  /** the tap is the numbers offset .. offset + width of each row of `stride` numbers */
  readonly offset: number;
  readonly width: number;
  readonly stride: number;
  /** sizes of one row: [dim], [heads, headDim]; a pattern's last size is its number of columns */
  readonly shape: readonly number[];
  readonly isPattern: boolean;
  /** a pattern over two key sources: columns of the second follow those of the first */
  readonly isDouble: boolean;
  /** the host computes the tap from the tensor (derived-taps.ts); where `isEdit`, the tensor is what an edit of it changes */
  readonly derived?: "scale" | "result" | undefined;
  readonly isEdit?: boolean | undefined;
}

/**
 * Shape of a row of a tap: [dim], [hiddenDim], [heads, headDim], [kvHeads, headDim]; a `pattern` is [heads, columns], a `scale` [1], a
 * `result` [heads, dim].
 */
export type TapShape = "dim" | "hiddenDim" | "heads" | "kvHeads" | "pattern" | "scale" | "result";

/** A tap that forward passes can have. */
export interface TapKind {
  /** the full name has `blocks.{i}.` before it if the tap is a layer's */
  readonly name: string;
  readonly shape: TapShape;
  /** the models that have it; all by default */
  readonly isIn?: (config: ModelConfig) => boolean;
}

const layerOf = ({ modelType }: ModelConfig) => families[modelType].layer;
const hasPositions = ({ modelType }: ModelConfig) => families[modelType].positions !== undefined;
const hasRotation = ({ rotary }: ModelConfig) => rotary !== null;
const isSequential = ({ parallelResidual }: ModelConfig) => !parallelResidual;
const hasOwnMlpNorm = (config: ModelConfig) => layerOf(config).mlpNorm !== undefined;
const hasGate = (config: ModelConfig) => layerOf(config).gate !== undefined;
const hasPostNorms = (config: ModelConfig) => layerOf(config).postAttentionNorm !== undefined;

/** The residuals [rows, dim] with which a pass begins and ends between layers; they are no taps of the model's. */
export const RESIDUAL_IN = "residual.in";
export const RESIDUAL_OUT = "residual.out";

/** The taps before the layers. */
export const EMBEDDING_TAPS: readonly TapKind[] = [
  { name: "hook_embed", shape: "dim" },
  { name: "hook_pos_embed", shape: "dim", isIn: hasPositions },
];

/** The taps of each layer, in the order in which most families reach them. */
export const LAYER_TAPS: readonly TapKind[] = [
  { name: "hook_resid_pre", shape: "dim" },
  { name: "ln1.hook_scale", shape: "scale" },
  { name: "ln1.hook_normalized", shape: "dim" },
  { name: "ln1.hook_out", shape: "dim" },
  { name: "attn.hook_q", shape: "heads" },
  { name: "attn.hook_k", shape: "kvHeads" },
  { name: "attn.hook_v", shape: "kvHeads" },
  { name: "attn.hook_rot_q", shape: "heads", isIn: hasRotation },
  { name: "attn.hook_rot_k", shape: "kvHeads", isIn: hasRotation },
  { name: "attn.hook_attn_scores", shape: "pattern" },
  { name: "attn.hook_pattern", shape: "pattern" },
  { name: "attn.hook_z", shape: "heads" },
  { name: "attn.hook_result", shape: "result" },
  { name: "ln1_post.hook_scale", shape: "scale", isIn: hasPostNorms },
  { name: "ln1_post.hook_normalized", shape: "dim", isIn: hasPostNorms },
  { name: "ln1_post.hook_out", shape: "dim", isIn: hasPostNorms },
  { name: "hook_attn_out", shape: "dim" },
  { name: "hook_resid_mid", shape: "dim", isIn: isSequential },
  { name: "ln2.hook_scale", shape: "scale", isIn: hasOwnMlpNorm },
  { name: "ln2.hook_normalized", shape: "dim", isIn: hasOwnMlpNorm },
  { name: "ln2.hook_out", shape: "dim", isIn: hasOwnMlpNorm },
  { name: "mlp.hook_pre", shape: "hiddenDim" },
  { name: "mlp.hook_pre_linear", shape: "hiddenDim", isIn: hasGate },
  { name: "mlp.hook_post", shape: "hiddenDim" },
  { name: "ln2_post.hook_scale", shape: "scale", isIn: hasPostNorms },
  { name: "ln2_post.hook_normalized", shape: "dim", isIn: hasPostNorms },
  { name: "ln2_post.hook_out", shape: "dim", isIn: hasPostNorms },
  { name: "hook_mlp_out", shape: "dim" },
  { name: "hook_resid_post", shape: "dim" },
];

/** The taps behind the layers. */
export const FINAL_TAPS: readonly TapKind[] = [
  { name: "ln_final.hook_scale", shape: "scale" },
  { name: "ln_final.hook_normalized", shape: "dim" },
  { name: "ln_final.hook_out", shape: "dim" },
];

/** All taps of `layers` layers by full name, including those that a given model lacks. */
export function tapKinds(layers: number): ReadonlyMap<string, TapKind> {
  const inLayers = Array.from({ length: layers }, (_, i) =>
    LAYER_TAPS.map((kind) => [`blocks.${i}.${kind.name}`, kind] as const),
  );
  const [first, last] = [EMBEDDING_TAPS, FINAL_TAPS].map((kinds) => kinds.map((kind) => [kind.name, kind] as const));
  return new Map([...first!, ...inLayers.flat(), ...last!]);
}

/** Returns the names of the taps that a model has. */
export function tapNames(config: ModelConfig): string[] {
  const kinds = [...tapKinds(config.layers)];
  return kinds.filter(([, { isIn }]) => isIn?.(config) ?? true).map(([name]) => name);
}

/**
 * Returns a test for names of a model's taps. `*` in a pattern matches any one part between dots. Throws a RangeError for a pattern
 * that matches no tap, and for one that matches only taps that this model lacks.
 */
export function tapMatcher(patterns: readonly string[], config: ModelConfig): (name: string) => boolean {
  const names = tapNames(config);
  const wanted = new Set<string>();
  for (const pattern of patterns) {
    const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", "[^.]+");
    const expression = new RegExp(`^${escaped}$`);
    const found = names.filter((name) => expression.test(name));
    if (found.length === 0) {
      if ([...tapKinds(config.layers).keys()].some((name) => expression.test(name))) {
        throw new RangeError(
          `a ${config.modelType} model has no tap "${pattern}": tapNames(model.config) lists those it has`,
        );
      }
      throw new RangeError(
        `no tap is called "${pattern}": there are ${names.length}, from ${names[0]} to ${names.at(-1)}`,
      );
    }
    for (const name of found) wanted.add(name);
  }
  return (name) => wanted.has(name);
}

/** Returns a key that is equal for two requests if the same recording serves both: a recording has exactly the requested taps. */
export function recordingKey(
  { wants, edits }: Readonly<Record<"wants" | "edits", (name: string) => boolean>>,
  config: ModelConfig,
): string {
  const letters = tapNames(config).map((name) => (edits(name) ? "e" : wants(name) ? "w" : "-"));
  return letters.join("");
}

/** The layer of a layer's tap; NaN for the others. */
export function layerOfTap(name: string): number {
  return Number(/^blocks\.(\d+)\./.exec(name)?.[1]);
}
