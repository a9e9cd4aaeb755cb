// Golden tensors made elsewhere (tests/goldens/README.md), and how far from them a model's are.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Model } from "kedge";
import { bufferSource, openSafetensors, type SafetensorsFile } from "kedge/loaders";

/** Numbers with a shape. */
export interface Golden {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

const folder = fileURLToPath(new URL("../goldens/", import.meta.url));

/** Path of a tiny model with goldens, such as "llama", or of a file in its folder. */
export function goldenPath(path: string): string {
  return `${folder}${path}`;
}

/** The tiny models of all families: random weights, and what transformers computes with them. */
export const TINY_MODELS: readonly string[] = readdirSync(folder).filter(
  (name) => name !== "anchors" && existsSync(goldenPath(`${name}/golden.safetensors`)),
);

/** Opens a file of goldens. */
export async function openGoldens(path: string): Promise<SafetensorsFile> {
  return openSafetensors(bufferSource(await readFile(path), path));
}

/** One tensor, whatever its type. */
export async function golden(file: SafetensorsFile, name: string): Promise<Golden> {
  const { shape, values } = await file.readTensor(name);
  return { shape, values: Float64Array.from(values as ArrayLike<number | bigint>, Number) };
}

/** Row `index` of a tensor's first axis. */
export function rowOf({ shape, values }: Golden, index: number): Float64Array {
  const size = values.length / shape[0]!;
  return values.subarray(index * size, (index + 1) * size);
}

/** The largest difference, and the largest number wanted. NaN counts as infinitely far. */
export function distance(got: ArrayLike<number>, want: ArrayLike<number>): { largest: number; scale: number } {
  if (got.length !== want.length) return { largest: Number.POSITIVE_INFINITY, scale: 1 };
  let [largest, scale] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i]! - want[i]!);
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
    scale = Math.max(scale, Math.abs(want[i]!));
  }
  return { largest, scale };
}

/** The tokens that greedy decoding appends. */
export async function greedyTokens(model: Model, prompt: readonly number[], count: number): Promise<number[]> {
  const tokens: number[] = [];
  for await (const piece of model.generate(prompt, { maxTokens: count, ignoreEndTokens: true })) {
    tokens.push(...piece.tokens);
  }
  return tokens;
}
