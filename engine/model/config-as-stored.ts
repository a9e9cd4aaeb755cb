// Checks whether a model's head is the embedding, as config.json claims. As in transformers (modeling_utils.py, tie_weights), a head
// that is stored although config.json ties it to the embedding is used, unless it is equal to the embedding.

import { findQuantized, type Checkpoint, type ModelConfig } from "../../loaders/index.ts";
import { families } from "./families/index.ts";
import { headName } from "./weight-list.ts";
import { namesIn } from "./weights.ts";

/** Bytes of each of two tensors that are compared at a time. */
const PIECE_BYTES = 4 << 20;

/**
 * The configuration, with the head tied to the embedding only where the files agree. Reads nothing unless config.json ties the two and
 * the files have both; then up to the first difference.
 *
 * Throws a FormatError for a file that is truncated, and the signal's reason when it is aborted.
 */
export async function configAsStored(
  config: ModelConfig,
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<ModelConfig> {
  const head = headName(families[config.modelType]);
  if (!config.tiedEmbeddings || !checkpoint.tensors.has(head)) return config;
  const { embedding } = namesIn(checkpoint, config, "the checkpoint");
  const isTied = embedding === head || (await areEqual(checkpoint, config, embedding, head, signal));
  return isTied ? config : { ...config, tiedEmbeddings: false };
}

/** Whether two matrices [vocabSize, dim] are stored as the same bytes. */
async function areEqual(
  checkpoint: Checkpoint,
  { vocabSize, dim }: ModelConfig,
  a: string,
  b: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const [ours, theirs] = [a, b].map((name) => findQuantized(checkpoint, name, vocabSize, dim)?.names ?? [name]);
  if (ours!.length !== theirs!.length) return false;
  for (const [i, name] of ours!.entries()) {
    if (!(await areEqualTensors(checkpoint, name, theirs![i]!, signal))) return false;
  }
  return true;
}

async function areEqualTensors(
  checkpoint: Checkpoint,
  a: string,
  b: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const [first, second] = [checkpoint.tensors.get(a)!, checkpoint.tensors.get(b)!];
  if (first.dtype !== second.dtype || first.byteLength !== second.byteLength) return false;
  for (let begin = 0; begin < first.byteLength; begin += PIECE_BYTES) {
    const end = Math.min(first.byteLength, begin + PIECE_BYTES);
    const [x, y] = await Promise.all([a, b].map((name) => checkpoint.readBytes(name, { begin, end, signal })));
    if (!areEqualBytes(x!, y!)) return false;
  }
  return true;
}

function areEqualBytes(x: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}
