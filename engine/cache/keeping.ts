// How a sequence keeps its keys: a policy resolved against a model. Sequences with an equal `stepKey` can share a step.

import { DENSE, type VisibilityParams } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { anchorsWithIds, type LineAnchorChooser } from "../attention/anchors.ts";
import { resolveRule } from "../attention/visibility.ts";
import { checkPolicy } from "./policies/check-policy.ts";
import type { CachePolicy } from "./policies/policy.ts";

/** A cache policy resolved against a model. */
export interface Keeping {
  readonly policy: CachePolicy;
  /** the keys that queries see, without the model's own windows */
  readonly rule: VisibilityParams;
  /** the rule by which keys are dropped: `rule`, and the window if all layers of the model have the same */
  readonly dropRule: VisibilityParams;
  readonly isAnchor: LineAnchorChooser;
  readonly isPerLayer: boolean;
  /** another layer reads the anchors of this one, so that they stay even where the rule hides them */
  readonly keepsAnchors: boolean;
  /** layers whose attention is read back after each step, for the policy or a watcher */
  readonly attentionLayers: readonly number[];
  readonly wantsKeyNorms: boolean;
  /** equal for sequences that can be rows of one step */
  readonly stepKey: string;
}

/** The default policy: it drops a key only when the model itself hides the key from every later query. */
const MODEL_POLICY: CachePolicy = { name: "model", rule: {} };

/**
 * Resolves a policy against a model; without one, the model's own rule. The attention of `watched` layers is read back after each step.
 * Throws a RangeError for a policy that contradicts itself, for one per layer on a model whose layers share anchors, and for a watched
 * layer that the model lacks.
 */
export function resolveKeeping(
  config: ModelConfig,
  policy: CachePolicy = MODEL_POLICY,
  watched: readonly number[] = [],
): Keeping {
  checkPolicy(policy);
  const rule = resolveRule(policy.rule, config.anchors);
  // Without segments a model with anchors runs as one without: no token is an anchor, and no layer reads another's.
  const hasAnchors = rule.segmented === 1;
  const readsAnchors = hasAnchors && (config.anchors?.layerMap.size ?? 0) > 0;
  const isPerLayer = policy.isPerLayer ?? false;
  if (isPerLayer && readsAnchors) {
    throw new RangeError(
      `the policy "${policy.name}" keeps other keys in each layer, but layers of this model read one another's anchors`,
    );
  }
  const windows = new Set(config.windows);
  const [window = 0] = windows.size === 1 ? windows : [0];
  const statistics = policy.statistics ?? [];
  const wantsAttention = statistics.some((name) => name !== "key-norm");
  const attentionLayers = wantsAttention
    ? Array.from({ length: config.layers }, (_, layer) => layer)
    : [...new Set(watched)].sort((a, b) => a - b);
  const bad = watched.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < config.layers));
  if (bad !== undefined) throw new RangeError(`layer ${bad} cannot be watched: the model has ${config.layers} layers`);
  const wantsKeyNorms = statistics.includes("key-norm");
  return {
    policy,
    rule,
    dropRule: { ...rule, window },
    isAnchor: hasAnchors ? (policy.isAnchor ?? anchorsWithIds(config.anchors?.tokenIds ?? [])) : () => false,
    isPerLayer,
    keepsAnchors: readsAnchors,
    attentionLayers,
    wantsKeyNorms,
    stepKey: JSON.stringify([rule, isPerLayer, attentionLayers, wantsKeyNorms]),
  };
}

/** True if the rule can hide a key from all later queries, so that it can be dropped. */
export function canDrop({ dropRule }: Keeping): boolean {
  return (
    dropRule.window !== DENSE.window ||
    dropRule.keepWindow !== DENSE.keepWindow ||
    dropRule.segmented !== DENSE.segmented
  );
}
