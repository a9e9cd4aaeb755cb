// What a request reads of a step: the logits of its outputs, their argmax, or their top-K. Requests of all kinds can be answered by
// one step, which is replayed up to the furthest stage that one of them asks for.

import type { Read, Tensor } from "../devices/device.ts";
import type { TopLogits, TopLogitsOptions } from "../generate/decoder.ts";
import type { Activations } from "./activations.ts";
import type { Numbers } from "./make-step.ts";
import { topKTensors } from "./top-logits.ts";

/** The outputs begin..end of a step, or its choices where it combines (choices.ts), which are those of one request. */
export interface Outputs {
  readonly begin: number;
  readonly end: number;
  readonly activations: Activations;
  /** [outputs or choices, vocabSize] */
  readonly logits: Tensor;
  readonly vocabSize: number;
  /** of the step's top-K logits; undefined in a step without them */
  readonly temperature: number | undefined;
}

/** How a request is answered. */
export interface Answers<T> {
  readonly stage: "greedy" | "logits" | "topLogits";
  /** for the stage "topLogits" */
  readonly temperature?: number;
  reads(outputs: Outputs): readonly Read[];
  /** reads that depend on the first ones */
  more?(data: readonly Numbers[], outputs: Outputs): readonly Read[];
  /** the answers of begin..end, from all that was read */
  take(data: readonly Numbers[], outputs: Outputs): readonly T[];
}

const indicesOf = ({ begin, end }: Outputs): number[] => Array.from({ length: end - begin }, (_, i) => i);

/** Reads whole rows. */
export const wholeLogits: Answers<Float32Array> = {
  stage: "logits",
  reads: ({ begin, end, logits, vocabSize }) => [{ tensor: logits, begin: begin * vocabSize, end: end * vocabSize }],
  take([logits], outputs) {
    const { vocabSize } = outputs;
    return indicesOf(outputs).map((i) => (logits as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize));
  },
};

/** Reads the token of the largest logit, which is also the first of the top-K; vocabSize, which is no token, where there is none. */
export const greedyTokens: Answers<number> = {
  stage: "greedy",
  reads({ begin, end, activations, vocabSize, temperature }) {
    if (temperature === undefined) return [{ tensor: activations.ports.best, begin, end }];
    const { k, columnOf, total } = topKTensors(activations, vocabSize);
    return [
      { tensor: columnOf, begin: begin * k, end: end * k },
      { tensor: total, begin, end },
    ];
  },
  take([tokens, totals], outputs) {
    const { vocabSize } = outputs;
    if (!totals) return indicesOf(outputs).map((i) => tokens![i]!);
    const k = tokens!.length / totals.length;
    return indicesOf(outputs).map((i) => (Number.isNaN(totals[i]) ? vocabSize : tokens![i * k]!));
  },
};

/** Reads the top-K logits, and whole rows where they are not enough, or where the step was made for another temperature. */
export function topLogits({ temperature, isEnough }: TopLogitsOptions): Answers<TopLogits | Float32Array> {
  const isOwn = (outputs: Outputs) => outputs.temperature === temperature;
  return {
    stage: "topLogits",
    temperature,
    reads(outputs) {
      if (!isOwn(outputs)) return wholeLogits.reads(outputs);
      const { begin, end, activations, vocabSize } = outputs;
      const { k, values, columnOf, total } = topKTensors(activations, vocabSize);
      return [
        { tensor: values, begin: begin * k, end: end * k },
        { tensor: columnOf, begin: begin * k, end: end * k },
        { tensor: total, begin, end },
      ];
    },
    more(data, outputs) {
      if (!isOwn(outputs)) return [];
      const { begin, logits: tensor, vocabSize } = outputs;
      return splitTopLogits(data, indicesOf(outputs)).flatMap((top, i) =>
        isEnough(top) ? [] : [{ tensor, begin: (begin + i) * vocabSize, end: (begin + i + 1) * vocabSize }],
      );
    },
    take(data, outputs) {
      if (!isOwn(outputs)) return wholeLogits.take(data, outputs);
      const whole = data.slice(3) as Float32Array[];
      const rows = splitTopLogits(data, indicesOf(outputs));
      return whole.length === 0 ? rows : rows.map((top) => (isEnough(top) ? top : whole.shift()!));
    },
  };
}

/** Splits the numbers read from {@link topKTensors} into rows. */
function splitTopLogits([values, tokens, totals]: readonly Numbers[], rows: readonly number[]): TopLogits[] {
  const k = values!.length / rows.length;
  return rows.map((row) => ({
    tokens: tokens!.subarray(row * k, (row + 1) * k) as Uint32Array,
    logits: values!.subarray(row * k, (row + 1) * k) as Float32Array,
    total: totals![row]!,
  }));
}
