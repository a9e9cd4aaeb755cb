// Steers attention towards spans of the prompt by additive biases on the scores, as PASTA (arXiv 2311.02262) and SpotLight
// (arXiv 2505.12025) do, for comparison with Selective Prompt Anchoring.
//
// A bias here is a product, score(head, key) += heads[head] · keys[key]: one number a key, as the cache's entries carry, and
// one a head, as `attend` scales them. So a layer is steered without a [heads, keys] matrix.

/** Positions begin..end (half-open). */
export interface PositionSpan {
  readonly begin: number;
  readonly end: number;
}

/** The bias added to a layer's scores: heads[head] · keys[key]. */
export interface SteeringBias {
  /** [keys] */
  readonly keys: Float32Array;
  /** [heads] */
  readonly heads: Float32Array;
}

/** Which keys there are, and which of them to steer towards. */
export interface SteeredKeys {
  /** [keys] absolute positions */
  readonly positions: ArrayLike<number>;
  readonly spans: readonly PositionSpan[];
  /** heads of the layer */
  readonly heads: number;
}

/** Settings of {@link pastaBias}. */
export interface PastaOptions extends SteeredKeys {
  /** only keys below this position are weighed down: generated ones are left alone */
  readonly promptLength: number;
  /** what the weight of other keys is multiplied by, before normalising; 0 < alpha <= 1, default 0.01 */
  readonly alpha?: number;
  /** the heads to steer; default all. The paper searches for those that help. */
  readonly chosenHeads?: readonly number[];
}

/** PASTA's alpha. */
export const PASTA_ALPHA = 0.01;

/**
 * PASTA's bias: log(alpha) on every prompt key outside the spans, for the chosen heads. Equal to the paper's scaling of the
 * softmax's weights by alpha and normalising anew. Throws a RangeError for an alpha outside 0..1, spans that are no spans, and
 * heads that are not there.
 */
export function pastaBias(options: PastaOptions): SteeringBias {
  const { positions, spans, heads, promptLength, alpha = PASTA_ALPHA, chosenHeads } = options;
  if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`pasta: alpha must be above 0 and at most 1; it is ${alpha}`);
  const isInside = membership(spans);
  const outside = Math.log(alpha);
  return {
    keys: Float32Array.from(positions, (position) => (position < promptLength && !isInside(position) ? outside : 0)),
    heads: chosen(heads, chosenHeads),
  };
}

/** Settings of {@link spotlightBias}. */
export interface SpotlightOptions extends SteeredKeys {
  /** [heads] the share of the row's attention that the spans get without steering: {@link spanShare} of each head */
  readonly shares: ArrayLike<number>;
  /** the share that they should get; 0 < target < 1 */
  readonly target: number;
  /**
   * false (the default): log(target / share), as in the paper, after which the share is target / (1 + target - share). true,
   * this project's own: log(target (1 - share) / (share (1 - target))), after which it is the target exactly.
   */
  readonly isExact?: boolean;
  /** no bias is larger: a share near 0 must not turn into one key that gets all; default 16 */
  readonly maxBias?: number;
}

/** See {@link SpotlightOptions.maxBias}; this project's own. e^16 is about 9 million. */
export const SPOTLIGHT_MAX_BIAS = 16;

/**
 * SpotLight's bias for one row: log(target / share) on the spans' keys in every head whose share is below the target, none in
 * the others. Throws a RangeError for a target or shares out of range, and spans that are no spans.
 */
export function spotlightBias(options: SpotlightOptions): SteeringBias {
  const { positions, spans, heads, shares, target, isExact = false, maxBias = SPOTLIGHT_MAX_BIAS } = options;
  if (!(target > 0 && target < 1)) throw new RangeError(`spotlight: target must be between 0 and 1; it is ${target}`);
  if (shares.length !== heads) {
    throw new RangeError(`spotlight: the layer has ${heads} heads; the shares of ${shares.length} were given`);
  }
  const isInside = membership(spans);
  return {
    keys: Float32Array.from(positions, (position) => Number(isInside(position))),
    heads: Float32Array.from(shares, (share, head) => {
      if (!(share >= 0 && share <= 1 + 1e-4)) {
        throw new RangeError(`spotlight: the share of head ${head} must be within 0..1; it is ${share}`);
      }
      if (share >= target) return 0;
      const odds = isExact ? (target * (1 - share)) / (share * (1 - target)) : target / share;
      return Math.min(Math.log(odds), maxBias);
    }),
  };
}

/** The share of a row's attention, weights [keys], that the spans get; 0 for a row without attention. */
export function spanShare(
  weights: ArrayLike<number>,
  positions: ArrayLike<number>,
  spans: readonly PositionSpan[],
): number {
  if (weights.length !== positions.length) {
    throw new RangeError(`a row has ${weights.length} weights and ${positions.length} positions; they must agree`);
  }
  const isInside = membership(spans);
  let [inside, total] = [0, 0];
  for (let key = 0; key < weights.length; key++) {
    if (isInside(positions[key]!)) inside += weights[key]!;
    total += weights[key]!;
  }
  return total > 0 ? inside / total : 0;
}

/**
 * What a head's weights [keys] become under a bias: softmax(scores + bias) from softmax(scores), so that captured patterns can
 * be steered without running the model.
 */
export function steerWeights(weights: ArrayLike<number>, bias: SteeringBias, head: number): Float64Array {
  if (weights.length !== bias.keys.length) {
    throw new RangeError(`a row has ${weights.length} weights and the bias ${bias.keys.length} keys; they must agree`);
  }
  const scale = bias.heads[head];
  if (scale === undefined) throw new RangeError(`head ${head} is not among the ${bias.heads.length} of the bias`);
  const steered = Float64Array.from(weights, (weight, key) => weight * Math.exp(scale * bias.keys[key]!));
  const total = steered.reduce((sum, weight) => sum + weight, 0);
  return total > 0 ? steered.map((weight) => weight / total) : steered;
}

function membership(spans: readonly PositionSpan[]): (position: number) => boolean {
  for (const { begin, end } of spans) {
    if (begin >= 0 && begin <= end) continue;
    throw new RangeError(`a span of positions must have 0 <= begin <= end; it is ${begin}..${end}`);
  }
  return (position) => spans.some(({ begin, end }) => position >= begin && position < end);
}

function chosen(heads: number, chosenHeads: readonly number[] | undefined): Float32Array {
  if (!chosenHeads) return new Float32Array(heads).fill(1);
  const scales = new Float32Array(heads);
  for (const head of chosenHeads) {
    if (!(Number.isInteger(head) && head >= 0 && head < heads)) {
      throw new RangeError(`head ${head} is not in a layer with ${heads} heads`);
    }
    scales[head] = 1;
  }
  return scales;
}
