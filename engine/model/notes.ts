// Notes on a loaded model: the format of its weights, tensors that are not used, files that contradict config.json.

import type { QuantizedFormat } from "../../kernels/index.ts";
import {
  quantizationOf,
  UnsupportedError,
  type ModelConfig,
  type Tokenizer,
  type Checkpoint,
} from "../../loaders/index.ts";

/** The format of the matrices, and whether the files have it already. */
export interface Quantization {
  readonly format: QuantizedFormat | null;
  readonly isStored: boolean;
}

/** Throws an UnsupportedError where the files are quantized to another format than is asked for. */
export function quantizationFor(checkpoint: Checkpoint, name: string, asked?: QuantizedFormat): Quantization {
  const stored = quantizationOf(checkpoint);
  if (stored && asked && asked !== stored) {
    throw new UnsupportedError(
      `${name}: its weights are quantized to ${stored} already; quantize is "${asked}": leave it out, or load the model that they were made of`,
    );
  }
  return { format: stored ?? asked ?? null, isStored: stored !== null };
}

/** The facts that notes are made from. */
export interface LoadedModel {
  /** the configuration as config.json has it */
  readonly declared: ModelConfig;
  /** the configuration as the files have it */
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | null;
  /** tensors of the checkpoint that are no part of the model */
  readonly unused: readonly string[];
  readonly quantized: Quantization;
}

/** Returns the notes on a model, one sentence each. */
export function notesOn({ declared, config, tokenizer, unused, quantized }: LoadedModel): string[] {
  const { format, isStored } = quantized;
  const notes: string[] = [];
  if (format !== null) {
    const outer = format === "int4" ? ", embedding and head as int8" : "";
    const from = isStored ? "as the files have them" : "rounded from what is stored";
    notes.push(`matrices are kept as ${format}${outer}, ${from}: results differ from the original model's`);
  }
  if (declared.tiedEmbeddings && !config.tiedEmbeddings) {
    notes.push(
      "config.json says that the head is the embedding, but the files have another: it is used, as transformers does",
    );
  }
  if (unused.length > 0) {
    const some = unused.slice(0, 3).join(", ");
    notes.push(`${unused.length} tensors of the checkpoint are not part of this family and were left out: ${some}`);
  }
  if (tokenizer && tokenizer.vocabSize > config.vocabSize) {
    notes.push(`the tokenizer knows ${tokenizer.vocabSize} tokens, the model ${config.vocabSize}`);
  }
  return notes;
}
