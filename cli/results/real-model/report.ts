// The report's section on a real code model, made of what is in the study's files.

import { command } from "../markdown.ts";
import type { Dilution, Perplexity } from "./measurements.ts";
import { MAX_TOKENS } from "./plan.ts";
import { afterFailedExamples, oneStrength, plainPasses, tunedStrength, variants } from "./report-anchoring.ts";
import { dilutionText, smallCaches } from "./report-caches.ts";
import type { Scores } from "./study.ts";

/** How the section begins: it is kept when the rest of the report is made again. */
export const REAL_MODEL = "## A real code model:";

/** What the section is made of beside scores. */
export interface Measurements {
  readonly dilution: readonly Dilution[];
  readonly perplexities: readonly Perplexity[];
}

/** The section. What is not measured yet is said to be so. */
export async function realModelSection(study: Scores, { dilution, perplexities }: Measurements): Promise<string> {
  const sections = [plainPasses, oneStrength, tunedStrength, afterFailedExamples, variants];
  const parts: string[] = [];
  for (const section of sections) parts.push(await section(study));
  parts.splice(-1, 0, await smallCaches(study, perplexities));
  parts.push(dilutionText(dilution));
  return `${REAL_MODEL} Qwen2.5-Coder-0.5B-Instruct

The papers' claims on a model that passes a good part of their own benchmarks. int8 weights, \`wasm\`, greedy unless said otherwise, at most ${MAX_TOKENS} tokens a text. Texts are made once and kept
([bench/results/real-model](../bench/results/real-model/README.md)), so that each is scored by as many tests as there are, and this section is made again without the model. A difference counts as one where McNemar's exact test gives less than 0.05.

One command makes what is missing, in pieces: it can be ended at any time, by Ctrl-C or by \`--hours\`, and goes on where it ended. All of it takes about 8 hours on two quiet cores; the plain passes of one benchmark take 6 to 15 minutes. Without \`--model\` it
only makes this section again from the files, in about a minute. \`FOLDER\` has the benchmarks as they are published: \`humaneval/HumanEval.jsonl.gz\`, \`humaneval-plus/HumanEvalPlus-OriginFmt.jsonl.gz\`, \`humaneval-x/humaneval_js.jsonl.gz\`,
\`mbpp/mbpp.jsonl.gz\` and \`mbpp-plus/MbppPlus-OriginFmt.jsonl.gz\`.

${command("npm run results -- --only real-model --data FOLDER --model MODEL_FOLDER")}

${parts.join("\n\n")}`;
}
