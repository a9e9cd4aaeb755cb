// From residuals to logits: what the forward pass does behind its last layer, for residuals of the caller's.

import * as kernels from "../../kernels/index.ts";
import { variable } from "../devices/program.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { CapturedTensor } from "./captured.ts";
import { assemble } from "./draft.ts";
import type { GivenTensor } from "./forward.ts";
import { fuse } from "./fuse.ts";
import { LayerOps } from "./layer-ops.ts";
import { EXAMPLE } from "./recording.ts";
import { wholeRead } from "./step-inputs.ts";
import type { Steps } from "./steps.ts";
import type { ModelWeights } from "./weights.ts";

/** What residuals go through on their way to logits. */
export interface UnembedOptions {
  /** the final norm; true by default, false for residuals that are normed already */
  readonly norm?: boolean | undefined;
  /** the soft cap of logits, in families that have one; true by default, false for numbers that add up */
  readonly softcap?: boolean | undefined;
}

const UNEMBED_OPTIONS: OptionNames<UnembedOptions> = { norm: true, softcap: true };

/** Logits [rows, vocabSize] of residuals [rows, dim]. Throws a RangeError for a residual of another shape. */
export async function unembed(
  steps: Steps,
  weights: ModelWeights,
  { shape, data }: GivenTensor,
  options: UnembedOptions = {},
): Promise<CapturedTensor> {
  checkOptions("unembed", options, UNEMBED_OPTIONS);
  const { norm = true, softcap = true } = options;
  const { dim, vocabSize, logitSoftcap } = steps.config;
  const rows = shape[0] ?? 0;
  if (shape.length !== 2 || rows === 0 || shape[1] !== dim || data.length !== rows * dim) {
    throw new RangeError(
      `unembed: the residual is [${shape.join(",")}] with ${data.length} numbers; it must be [rows,${dim}], 1 row or more`,
    );
  }
  const numbers = Float32Array.from(data);
  const program = await steps.program((activations) => {
    const ops = new LayerOps(steps.config, undefined);
    const x = ops.outputs("selected", dim); // [outputs, dim]
    const h = norm ? ops.norm("ln_final", weights.finalNorm, x, ops.outputs("selected.normed", dim)) : x; // [outputs, dim]
    const y = activations.outputs("logits", vocabSize); // [outputs, vocabSize]
    const { weight, bias } = weights.head;
    const head = {
      rows: variable("outputs"),
      inputs: dim,
      outputs: vocabSize,
      outputBegin: 0,
      outputStride: vocabSize,
    };
    const ending = { activation: kernels.ACTIVATIONS.none, softcap: (softcap && logitSoftcap) || 0 };
    ops.call(kernels.linear, "head", { x: h, weight, bias, residual: undefined, y }, { ...head, ...ending });
    return assemble("unembed", fuse(ops.entries, EXAMPLE), (declared) => activations.make(declared)).program;
  });
  try {
    const logits = new Float32Array(rows * vocabSize);
    for (let begin = 0; begin < rows; begin += steps.chunkRows) {
      const outputs = Math.min(steps.chunkRows, rows - begin);
      const [read] = await program.run((activations) => {
        activations.reserve({ rows: 0, outputs, choices: 0, patternCells: 0 });
        const tensor = activations.outputs("selected", dim);
        return {
          variables: { outputs },
          writes: [{ tensor, data: numbers.subarray(begin * dim, (begin + outputs) * dim) }],
          reads: [wholeRead(activations.outputs("logits", vocabSize), outputs * vocabSize)],
        };
      });
      logits.set(read as Float32Array, begin * vocabSize);
    }
    return new CapturedTensor([rows, vocabSize], logits);
  } finally {
    program.dispose();
    await steps.shrink();
  }
}
