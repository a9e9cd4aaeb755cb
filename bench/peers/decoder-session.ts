// Greedy decoding with an ONNX session of a decoder, the cache handed from run to run.

import type { InferenceSession, Tensor } from "onnxruntime-common";

type Feeds = Record<string, Tensor>;
interface Tensors {
  readonly Tensor: new (
    type: "float32" | "int64",
    data: Float32Array | BigInt64Array,
    dims: readonly number[],
  ) => Tensor;
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** The greedy tokens after a prompt, and when each was there, in milliseconds. */
export async function decodeWith(
  runtime: unknown,
  session: InferenceSession,
  prompt: readonly number[],
  count: number,
) {
  const { Tensor } = runtime as Tensors;
  const wholes = (values: readonly number[]) =>
    new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const cacheNames = session.inputNames.filter((name) => name.startsWith("past_key_values."));
  const cacheShapes = new Map(session.inputMetadata.map((one) => [one.name, one.isTensor ? one.shape : []] as const));
  let cache: Feeds = Object.fromEntries(
    cacheNames.map((name) => {
      const [, heads, , headDim] = cacheShapes.get(name)! as number[];
      return [name, new Tensor("float32", new Float32Array(0), [1, heads!, 0, headDim!])];
    }),
  );
  const tokens: number[] = [];
  const times: number[] = [];
  const begin = performance.now();
  let next = prompt;
  let total = 0;
  while (tokens.length < count) {
    total += next.length;
    const feeds = { ...cache, input_ids: wholes(next), attention_mask: wholes(Array<number>(total).fill(1)) };
    const outputs = await session.run(feeds);
    const token = largest(outputs["logits"]!.data as Float32Array);
    tokens.push(token);
    times.push(performance.now());
    next = [token];
    cache = Object.fromEntries(cacheNames.map((name) => [name, outputs[name.replace("past_key_values", "present")]!]));
  }
  return { tokens, begin, times };
}
