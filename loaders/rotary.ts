// The rotary settings of config.json in both spellings (`rope_theta` / `rope_scaling`, and `rope_parameters`),
// and the inverse frequencies they stand for.

/** How positions become angles. `dims` is how many of a head's dimensions are rotated. */
export interface Rotary {
  readonly kind: "default" | "linear" | "dynamic" | "llama3" | "yarn";
  readonly theta: number;
  readonly dims: number;
  /** linear, dynamic, llama3, yarn */
  readonly factor: number;
  /** the length the model was trained at: dynamic, llama3, yarn */
  readonly originalContextLength: number;
  /** llama3 */
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  /** yarn */
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly truncate: boolean;
  /** multiplies cos and sin: yarn's attention factor, 1 otherwise */
  readonly attentionFactor: number;
}
