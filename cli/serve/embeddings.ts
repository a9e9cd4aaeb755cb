// /v1/embeddings: the final hidden states of a text, their mean or the last one, scaled to length 1.

import type { Answer, Prepare } from "./answering.ts";
import { invalid } from "./api-error.ts";
import { oneOf, readFields, text, whole } from "./fields.ts";
import { encode, prompts } from "./prompts.ts";
import type { ServedModel } from "./served-model.ts";
import { Usage } from "./usage.ts";

/** What the head reads: the residual stream behind the last layer, after the final norm. */
const STATES = "ln_final.hook_out";

const FIELDS = {
  model: text,
  input: prompts,
  encoding_format: oneOf("float", "base64"),
  dimensions: whole(1),
  pooling: oneOf("mean", "last"),
} as const;

/** Prepares embeddings. */
export const prepareEmbeddings: Prepare = async (body, server, work): Promise<Answer> => {
  const { input, pooling = "mean", encoding_format: format = "float", ...fields } = readFields(body, FIELDS);
  const served = server.models.find(fields.model);
  if (!input) throw invalid("input is missing: wanted a text or a list of tokens", "input");
  const { dim } = served.model.config;
  if (fields.dimensions !== undefined && fields.dimensions !== dim) {
    throw invalid(`dimensions is ${fields.dimensions}: the embeddings of ${served.id} have ${dim}`, "dimensions");
  }
  const inputs: (readonly number[])[] = [];
  for (const [i, one] of input.entries()) {
    const tokens = typeof one === "string" ? await encode(served, one, {}, work.signal) : one;
    served.checkPrompt(tokens, input.length === 1 ? "input" : `input[${i}]`, 0);
    inputs.push(tokens);
  }
  const lengths = inputs.map((tokens) => tokens.length);
  const usage = new Usage(
    server.metrics,
    work,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  const make = async (): Promise<object> => {
    const data: object[] = [];
    for (const [index, tokens] of inputs.entries()) {
      const embedding = await embed(served, tokens, pooling, work.signal);
      data.push({
        object: "embedding",
        index,
        embedding: format === "float" ? Array.from(embedding) : base64(embedding),
      });
    }
    usage.add(0);
    const { promptTokens: count } = usage;
    return { object: "list", data, model: served.id, usage: { prompt_tokens: count, total_tokens: count } };
  };
  return { served, need: served.needOf([Math.max(...lengths)], 0), make };
};

async function embed(
  { model }: ServedModel,
  tokens: readonly number[],
  pooling: "mean" | "last",
  signal: AbortSignal,
): Promise<Float32Array> {
  const { captured } = await model.forward(tokens, { capture: [STATES], logits: "none", signal });
  const { data, shape } = captured[STATES]!;
  const [rows, dim] = shape as readonly [number, number];
  const sum = new Float64Array(dim);
  for (let row = pooling === "last" ? rows - 1 : 0; row < rows; row++) {
    for (let i = 0; i < dim; i++) sum[i]! += data[row * dim + i]!;
  }
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  if (!(length > 0 && length < Infinity)) {
    throw invalid(
      `the hidden states of ${tokens.length} tokens have length ${length}: they cannot be scaled to 1`,
      "input",
    );
  }
  return Float32Array.from(sum, (value) => value / length);
}

function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");
}
