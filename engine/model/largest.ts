// The largest logits of a step's outputs, chosen on the device: what sampling reads in place of whole rows.

import { topK } from "../../kernels/index.ts";
import type { Tensor } from "../devices/device.ts";
import { variable, type ProgramBuilder } from "../devices/program.ts";
import { LARGEST_COUNT, type Feed, type Largest, type LargestOptions } from "../generate/decoder.ts";
import type { Activations } from "./activations.ts";
import type { Engine } from "./engine.ts";

/** Where they are left: [outputs, k] logits and tokens, [outputs] sums of weights. */
function placesOf(activations: Activations, vocabSize: number) {
  const k = Math.min(LARGEST_COUNT, vocabSize);
  const values = activations.outputs("largest.logits", k);
  return {
    k,
    values,
    columnOf: activations.outputWords("largest.tokens", k),
    total: activations.outputs("largest.total", 1),
  };
}

/** Records the choice among logits [outputs, vocabSize]; the step says the inverse of the temperature. */
export function recordLargest(
  builder: ProgramBuilder,
  activations: Activations,
  logits: Tensor,
  vocabSize: number,
): void {
  const { k, ...places } = placesOf(activations, vocabSize);
  const params = { rows: variable("outputs"), columns: vocabSize, k, scale: variable("inverseTemperature") };
  builder.call(topK, "head.largest", { x: logits, ...places }, params);
}

/** What `Decoder.largest` says. */
export async function largestOf(
  engine: Engine,
  feeds: readonly Feed[],
  { temperature, isEnough }: LargestOptions,
  signal: AbortSignal | undefined,
): Promise<(Largest | Float32Array)[]> {
  const { activations, vocabSize } = engine;
  const { k, values, columnOf, total } = placesOf(activations, vocabSize);
  const logits = activations.outputs("logits", vocabSize);
  const answers: (Largest | Float32Array)[] = [];
  await engine.feed(feeds, signal, "largest", { inverseTemperature: 1 / temperature }, ({ outputs }) => {
    const few: Largest[] = [];
    const isWanted = (i: number) => !isEnough(few[i]!);
    const reads = [values, columnOf, total].map((tensor) => ({
      tensor,
      begin: 0,
      end: outputs.length * (tensor === total ? 1 : k),
    }));
    return {
      reads,
      more: ([largest, tokens, sums]) => {
        outputs.forEach((_, i) => {
          const [begin, end] = [i * k, (i + 1) * k];
          few.push({
            tokens: tokens!.subarray(begin, end) as Uint32Array,
            logits: largest!.subarray(begin, end) as Float32Array,
            total: sums![i]!,
          });
        });
        return outputs.flatMap((_, i) =>
          isWanted(i) ? [{ tensor: logits, begin: i * vocabSize, end: (i + 1) * vocabSize }] : [],
        );
      },
      take: (_, whole) => {
        let next = 0;
        for (const [i, { feed }] of outputs.entries()) {
          answers[feed] = isWanted(i) ? (whole[next++] as Float32Array) : few[i]!;
        }
      },
    };
  });
  return answers;
}
