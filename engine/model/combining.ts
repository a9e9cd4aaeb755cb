// The calls and inputs of steps that combine (choices.ts). Loaded with the first of them, because most pages decode plainly.

import { COMBINED_WORDS, COMBINING_RULES, combineRows, logSumExp, selectWords } from "../../kernels/index.ts";
import { variable } from "../devices/program.ts";
import type { Tensor } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import type { Choices, Choosing } from "./choices.ts";
import type { Draft } from "./draft.ts";

const outputs = variable("outputs");
const choices = variable("choices");

/** The tensors of a step that combines. */
function tensorsOf(activations: Activations, vocabSize: number) {
  return {
    /** [outputs, 2]: the largest logit and log-sum-exp */
    sums: activations.outputs("logSumExp", 2),
    /** [outputs] */
    factors: activations.outputs("factors", 1),
    /** [choices, 3]: begin, end, rule */
    ranges: activations.choiceWords("choices", COMBINED_WORDS),
    /** [choices, vocabSize] */
    combined: activations.combined(vocabSize),
    /** [outputs]: the choice that an output belongs to */
    choiceOf: activations.outputWords("choiceOf", 1),
    /** [outputs]: the token chosen for it */
    chosen: activations.outputWords("chosen", 1),
  };
}

/** Records l + Σ f_k (l - l_k) over each choice's outputs: logits [outputs, vocabSize] to [choices, vocabSize]. */
export function combine(ops: Pick<Draft, "call">, activations: Activations, logits: Tensor, columns: number): Tensor {
  const { sums, ranges, factors, combined } = tensorsOf(activations, columns);
  const summed = { rows: outputs, columns, wantsSum: variable("wantsSum") };
  ops.call(logSumExp, "head.sums", { x: logits, y: sums }, summed);
  const params = { rows: choices, columns, sourceRows: outputs };
  ops.call(combineRows, "head.combined", { x: logits, sums, ranges, factors, y: combined }, params);
  return combined;
}

/** Records that the tokens `best` [choices] are handed to all outputs of their choices. */
export function handOut(ops: Pick<Draft, "call">, activations: Activations, best: Tensor, vocabSize: number): void {
  const { choiceOf: indices, chosen } = tensorsOf(activations, vocabSize);
  const params = { rows: outputs, sourceRows: choices };
  ops.call(selectWords, "head.chosen", { x: best, indices, y: chosen }, params);
}

/** The inputs of a step with these choices. */
export function choosingOf(activations: Activations, vocabSize: number, { list, isGreedy }: Choices): Choosing {
  const { ranges, factors, choiceOf, chosen } = tensorsOf(activations, vocabSize);
  const outputCount = list.at(-1)!.end;
  // Which token has the largest sum of differences does not depend on what a row is shifted by: then no log-sum-exp is needed.
  const isShifted = list.every(({ combination }) => !combination || combination.rule === "constant");
  return {
    count: list.length,
    variables: { choices: list.length, wantsSum: isGreedy && isShifted ? 0 : 1 },
    chosen,
    writes(ahead) {
      const words = list.flatMap(({ begin, end, combination }) => [
        begin,
        end,
        COMBINING_RULES[combination?.rule ?? "none"],
      ]);
      const ofOutputs = new Float32Array(outputCount);
      const choiceOfOutputs = new Uint32Array(outputCount);
      for (const [i, { begin, end, combination }] of list.entries()) {
        choiceOfOutputs.fill(i, begin, end);
        if (combination) ofOutputs.set(combination.factors(ahead), begin + 1);
      }
      return [
        { tensor: ranges, data: Uint32Array.from(words) },
        { tensor: factors, data: ofOutputs },
        { tensor: choiceOf, data: choiceOfOutputs },
      ];
    },
  };
}
