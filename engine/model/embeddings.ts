// A model's token embeddings, read back from the device.

import { embed } from "../../kernels/index.ts";
import { ProgramBuilder, variable, type Program } from "../devices/program.ts";
import type { Embeddings } from "../prompt-anchoring/plan.ts";
import type { Activations } from "./activations.ts";
import { wholeRead } from "./step-inputs.ts";
import type { Steps, StepsProgram } from "./steps.ts";
import type { ModelWeights } from "./weights.ts";

/** Reads rows of the embedding matrix. */
export class EmbeddingTable implements Embeddings {
  readonly vocabSize: number;
  readonly dim: number;
  readonly #steps: Steps;
  readonly #embedding: ModelWeights["embedding"];
  #reader: Promise<StepsProgram> | undefined;
  #mean: Promise<Float32Array> | undefined;

  constructor(steps: Steps, { embedding }: Pick<ModelWeights, "embedding">) {
    this.#steps = steps;
    this.#embedding = embedding;
    this.vocabSize = steps.config.vocabSize;
    this.dim = steps.config.dim;
  }

  /** [tokens, dim], as stored: unscaled, without positions. */
  async of(tokens: readonly number[]): Promise<Float32Array> {
    const { dim } = this;
    const { chunkRows } = this.#steps;
    this.#reader ??= this.#steps.program((activations) => this.#record(activations));
    const reader = await this.#reader;
    const result = new Float32Array(tokens.length * dim);
    for (let begin = 0; begin < tokens.length; begin += chunkRows) {
      const data = Uint32Array.from(tokens.slice(begin, begin + chunkRows));
      const [rows] = await reader.run((activations) => ({
        variables: { rows: data.length, vectorCount: activations.vectors.rowCount },
        writes: [{ tensor: activations.ports.tokens, data }],
        reads: [wholeRead(activations.rows("x.a", dim), data.length * dim)],
      }));
      result.set(rows as Float32Array, begin * dim);
    }
    return result;
  }

  /** The mean over the vocabulary [dim]; computed once. */
  mean(): Promise<Float32Array> {
    this.#mean ??= this.#computeMean();
    return this.#mean;
  }

  /** Frees the program that reads. */
  dispose(): void {
    this.#reader?.then((reader) => reader.dispose()).catch(() => undefined);
    this.#reader = undefined;
  }

  async #computeMean(): Promise<Float32Array> {
    const { vocabSize, dim } = this;
    const sums = new Float64Array(dim);
    const step = this.#steps.chunkRows;
    for (let begin = 0; begin < vocabSize; begin += step) {
      const count = Math.min(step, vocabSize - begin);
      const rows = await this.of(Array.from({ length: count }, (_, i) => begin + i));
      for (const [i, value] of rows.entries()) sums[i % dim]! += value;
    }
    return Float32Array.from(sums, (sum) => sum / vocabSize);
  }

  #record(activations: Activations): Program {
    const { dim, vocabSize } = this;
    const { tokens, positions, vectors } = activations.ports;
    const builder = new ProgramBuilder("embeddings");
    builder.call(
      embed,
      "embed",
      {
        tokens,
        positions,
        table: this.#embedding,
        positionTable: undefined,
        vectors,
        y: activations.rows("x.a", dim),
      },
      {
        rows: variable("rows"),
        dim,
        vocabSize,
        tableBegin: 0,
        tableEnd: vocabSize,
        contextLength: 0,
        vectorCount: variable("vectorCount"),
        scale: 1,
      },
    );
    return builder.build();
  }
}
