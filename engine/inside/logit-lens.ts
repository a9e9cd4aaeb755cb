// The logit lens (nostalgebraist 2020): what the model would say if it ended before each layer.

import { checkOptions, wholeNumber, type OptionNames } from "../options.ts";
import type { Model } from "../model/model.ts";
import type { Prompt } from "../model/prompts.ts";
import { tokenText, tokenTexts, type TokenText } from "./token-text.ts";

/** Options of {@link logitLens}. */
export interface LogitLensOptions {
  /** likeliest tokens of each place; 5 by default */
  readonly top?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS: OptionNames<LogitLensOptions> = { top: true, signal: true };

/** A token with its log-probability. */
export interface LikelyToken extends TokenText {
  readonly logProb: number;
}

/** What the residual at one place gives. */
export interface LensPlace {
  /** the likeliest tokens, the likeliest first */
  readonly top: readonly LikelyToken[];
  /** log-probability of the text's own next token; null after the last */
  readonly nextLogProb: number | null;
}

/** The result of {@link logitLens}. */
export interface LogitLens {
  readonly tokens: readonly TokenText[];
  /** [layers + 1, tokens]: of the residual before each layer, then of the one after the last, which gives the model's own logits */
  readonly layers: readonly (readonly LensPlace[])[];
}

/** The logits of the residual before each layer and after the last, at each place of a text, through the final norm and the head. */
export async function logitLens(model: Model, prompt: Prompt, options: LogitLensOptions = {}): Promise<LogitLens> {
  checkOptions("logitLens", options, OPTIONS);
  const { top = 5, signal } = options;
  const { layers, vocabSize } = model.config;
  wholeNumber("logitLens", "top", top, 1);
  const tokens = tokenTexts(model, prompt, "logitLens");
  const last = `blocks.${layers - 1}.hook_resid_post`;
  const ids = tokens.map(({ token }) => token);
  const capture = ["blocks.*.hook_resid_pre", last];
  const { captured } = await model.forward(ids, { capture, logits: "none", signal });
  const names = [...Array.from({ length: layers }, (_, layer) => `blocks.${layer}.hook_resid_pre`), last];
  const rows: LensPlace[][] = [];
  for (const name of names) {
    signal?.throwIfAborted();
    const logits = await model.unembed(captured[name]!);
    rows.push(ids.map((_, place) => placeFrom(model, logits.row(place), Math.min(top, vocabSize), ids[place + 1])));
  }
  return { tokens, layers: rows };
}

function placeFrom(model: Model, logits: Float32Array, top: number, next: number | undefined): LensPlace {
  const best: number[] = []; // tokens, the largest logit first
  for (let token = 0; token < logits.length; token++) {
    if (best.length === top && logits[token]! <= logits[best.at(-1)!]!) continue;
    const place = best.findIndex((one) => logits[one]! < logits[token]!);
    best.splice(place < 0 ? best.length : place, 0, token);
    if (best.length > top) best.pop();
  }
  const largest = logits[best[0]!]!;
  const total = largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return {
    top: best.map((token) => ({ ...tokenText(model, token), logProb: logits[token]! - total })),
    nextLogProb: next === undefined ? null : logits[next]! - total,
  };
}
