// Direct logit attribution: a logit is a sum over what each part of the model has added to the residual, once the scale of the final norm is
// taken as it came out. Sums are those before a soft cap.

import { checkOptions, type OptionNames } from "../options.ts";
import { argmax } from "../generate/ranking.ts";
import type { CapturedTensor } from "../model/captured.ts";
import type { Model } from "../model/model.ts";
import type { Prompt } from "../model/prompts.ts";
import { placeOf, tokenText, tokenTexts, type TokenText } from "./token-text.ts";

/** Options of {@link attributeLogit}. */
export interface LogitAttributionOptions {
  /** the place whose logit it is; the last by default, negative ones count from the end */
  readonly position?: number | undefined;
  /** the token whose logit it is; the one with the largest logit by default */
  readonly token?: number | undefined;
  /** the difference to this token's logit */
  readonly against?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS: OptionNames<LogitAttributionOptions> = { position: true, token: true, against: true, signal: true };

/** What a layer adds to a logit. */
export interface LayerAttribution {
  /** [heads] */
  readonly heads: readonly number[];
  /** the bias of attention's output; 0 where there is none */
  readonly attentionBias: number;
  /** all of the layer's attention: the heads and the bias */
  readonly attention: number;
  readonly feedForward: number;
}

/** The result of {@link attributeLogit}. */
export interface LogitAttribution {
  readonly tokens: readonly TokenText[];
  readonly position: number;
  readonly token: TokenText;
  readonly against: TokenText | null;
  /** before a soft cap: the sum of all that follows */
  readonly logit: number;
  readonly embedding: number;
  /** of learned positions; 0 where there are none */
  readonly positions: number;
  readonly layers: readonly LayerAttribution[];
  /** biases of the final norm and of the head */
  readonly bias: number;
}

/**
 * What each head, each feed-forward network, the embedding and the positions add to a token's logit at one place. Throws a RangeError for a
 * position beyond the text and a token beyond the vocabulary.
 */
export async function attributeLogit(
  model: Model,
  prompt: Prompt,
  options: LogitAttributionOptions = {},
): Promise<LogitAttribution> {
  checkOptions("attributeLogit", options, OPTIONS);
  const { signal, against } = options;
  const { layers, heads, dim, vocabSize } = model.config;
  const tokens = tokenTexts(model, prompt, "attributeLogit");
  const position = placeOf(options.position ?? -1, tokens.length, "attributeLogit");
  for (const [name, token] of Object.entries({ token: options.token, against })) {
    if (token === undefined || (Number.isInteger(token) && token >= 0 && token < vocabSize)) continue;
    throw new RangeError(`attributeLogit: ${name} is ${token}: the vocabulary has ${vocabSize} tokens`);
  }
  const capture = ["hook_embed", "ln_final.hook_scale", "blocks.*.hook_attn_out", "blocks.*.hook_mlp_out"];
  capture.push("blocks.*.attn.hook_result");
  const weights = await optionalWeights(model);
  if (weights.has("pos_embed.W_pos")) capture.push("hook_pos_embed");
  if (weights.has("blocks.0.ln1_post.w")) capture.push("blocks.*.ln1_post.hook_scale");
  const ids = tokens.slice(0, position + 1).map(({ token }) => token); // later tokens do not matter
  const { captured, logits } = await model.forward(ids, { capture, logits: "last", signal });
  const token = options.token ?? argmax(logits!.data);

  const unembedding = await model.weights("W_U"); // [dim, vocabSize]
  const [w, b] = [weights.get("ln_final.w")!, weights.get("ln_final.b")];
  const column = Float64Array.from({ length: dim }, (_, i) => {
    return unembedding.at(i, token) - (against === undefined ? 0 : unembedding.at(i, against));
  });
  const scale = captured["ln_final.hook_scale"]!.at(-1, 0);
  const direction = column.map((value, i) => (value * w.data[i]!) / scale);
  // Layer norms take the mean out of what they are given: the same as taking it out of the direction.
  const mean = b ? direction.reduce((sum, value) => sum + value, 0) / dim : 0;
  const centered = direction.map((value) => value - mean);
  const along = (numbers: ArrayLike<number>, of: Float64Array = centered) =>
    of.reduce((sum, value, i) => sum + value * numbers[i]!, 0);

  const parts = Array.from({ length: layers }, (_, layer): LayerAttribution => {
    const at = `blocks.${layer}`;
    const post = captured[`${at}.ln1_post.hook_scale`];
    const postWeight = weights.get(`${at}.ln1_post.w`);
    const own = post ? centered.map((value, i) => (value * postWeight!.data[i]!) / post.at(-1, 0)) : centered;
    const result = captured[`${at}.attn.hook_result`]!;
    const bias = weights.get(`${at}.attn.b_O`);
    return {
      heads: Array.from({ length: heads }, (_head, head) => along(result.row(-1, head), own)),
      attentionBias: bias ? along(bias.data, own) : 0,
      attention: along(captured[`${at}.hook_attn_out`]!.row(-1)),
      feedForward: along(captured[`${at}.hook_mlp_out`]!.row(-1)),
    };
  });
  const embedding = along(captured["hook_embed"]!.row(-1));
  const places = captured["hook_pos_embed"];
  const positions = places ? along(places.row(-1)) : 0;
  const headBias = weights.get("unembed.b_U");
  const ofHead = headBias ? headBias.data[token]! - (against === undefined ? 0 : headBias.data[against]!) : 0;
  const bias = (b ? along(b.data, column) : 0) + ofHead;
  const ofLayers = parts.reduce((sum, { attention, feedForward }) => sum + attention + feedForward, 0);
  return {
    tokens,
    position,
    token: tokenText(model, token),
    against: against === undefined ? null : tokenText(model, against),
    logit: embedding + positions + ofLayers + bias,
    embedding,
    positions,
    layers: parts,
    bias,
  };
}

/** The weights of vectors that attribution needs, of those that the model has. */
async function optionalWeights(model: Model): Promise<ReadonlyMap<string, CapturedTensor>> {
  const ofLayers = Array.from({ length: model.config.layers }, (_, i) => [
    `blocks.${i}.attn.b_O`,
    `blocks.${i}.ln1_post.w`,
  ]);
  const found = new Map<string, CapturedTensor>();
  const has = new Set(await model.weightNames());
  for (const name of ["ln_final.w", "ln_final.b", "unembed.b_U", "pos_embed.W_pos", ...ofLayers.flat()]) {
    if (has.has(name)) found.set(name, await model.weights(name));
  }
  return found;
}
