// A model's token embeddings, read back from the device, and vectors of the caller's kept beside them: a token number from
// vocabSize on names such a vector.

import { embed } from "../../kernels/index.ts";
import type { Executable } from "../devices/device.ts";
import { ProgramBuilder, variable } from "../devices/program.ts";
import type { Embeddings } from "../prompt-anchoring/plan.ts";
import type { Engine } from "./engine.ts";

export class EmbeddingTable implements Embeddings {
  readonly #engine: Engine;
  #reader: Promise<Executable> | undefined;
  #mean: Promise<Float32Array> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get vocabSize(): number {
    return this.#engine.vocabSize;
  }

  get dim(): number {
    return this.#engine.config.dim;
  }

  /** [tokens, dim], as stored: unscaled, without positions */
  async of(tokens: readonly number[]): Promise<Float32Array> {
    const { device, activations, chunkRows } = this.#engine;
    const { dim } = this;
    this.#reader ??= this.#prepare();
    const reader = await this.#reader;
    const result = new Float32Array(tokens.length * dim);
    const y = activations.rows("x.a", dim);
    for (let begin = 0; begin < tokens.length; begin += chunkRows) {
      const part = Uint32Array.from(tokens.slice(begin, begin + chunkRows));
      const [rows] = await this.#engine.exclusive(() =>
        device.run(reader, {
          variables: { rows: part.length, vectorCount: activations.vectorCount },
          writes: [{ tensor: activations.ports.tokens, data: part }],
          reads: [{ tensor: y, begin: 0, end: part.length * dim }],
        }),
      );
      result.set(rows as Float32Array, begin * dim);
    }
    return result;
  }

  /** The mean over the vocabulary [dim]; computed once. */
  mean(): Promise<Float32Array> {
    this.#mean ??= this.#computeMean();
    return this.#mean;
  }

  /** Keeps vectors [count, dim] for as long as the model lives; the same ones are kept once. The first one's token number. */
  keep(vectors: Float32Array): number {
    return this.vocabSize + this.#engine.activations.keepVectors(vectors);
  }

  /** Lets go of what reading took. */
  dispose(): void {
    this.#reader?.then((reader) => reader.dispose()).catch(() => undefined);
    this.#reader = undefined;
  }

  async #computeMean(): Promise<Float32Array> {
    const { vocabSize, dim } = this;
    const sums = new Float64Array(dim);
    const step = this.#engine.chunkRows;
    for (let begin = 0; begin < vocabSize; begin += step) {
      const count = Math.min(step, vocabSize - begin);
      const rows = await this.of(Array.from({ length: count }, (_, i) => begin + i));
      for (const [i, value] of rows.entries()) sums[i % dim]! += value;
    }
    return Float32Array.from(sums, (sum) => sum / vocabSize);
  }

  #prepare(): Promise<Executable> {
    const { device, weights, activations } = this.#engine;
    const { dim, vocabSize } = this;
    const { tokens, positions, vectors } = activations.ports;
    const builder = new ProgramBuilder("embeddings");
    builder.call(
      embed,
      "embed",
      {
        tokens,
        positions,
        table: weights.embedding,
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
    return device.prepare(builder.build());
  }
}
