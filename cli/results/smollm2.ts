// Sections on SmolLM2-135M-Instruct, made when its folder and HumanEval-X are given.

import { loadModel, policies, type CachePolicy, type Model } from "kedge";
import { tuneStrength } from "kedge/anchoring";
import { PLAIN } from "../evaluation/completer.ts";
import { compared, measure, passes, type Measurement } from "../evaluation/measure.ts";
import { pText } from "../evaluation/scoring.ts";
import type { Task } from "../evaluation/task.ts";
import { readTasks } from "../evaluation/tasks.ts";
import type { ReportContext } from "./context.ts";
import { command, heldText, intervalText, percent, table } from "./markdown.ts";

/** The places of the model and the tasks, and the number of tasks to run. */
export interface SmolLm2 {
  readonly folder: string;
  readonly humaneval: string;
  readonly limit: number;
}

const MAX_TOKENS = 160;
const PERPLEXITY_TOKENS = 1536;

/** SPA on HumanEval-X, and perplexity under each policy. */
export async function smolLm2(context: ReportContext, { folder, humaneval, limit }: SmolLm2): Promise<string> {
  const model = await loadModel(folder);
  try {
    const tasks = await readTasks(humaneval);
    return `${await humanEval(context, model, tasks.slice(0, limit), folder, humaneval)}

${await perplexities(context, model, tasks, folder, humaneval)}`;
  } finally {
    await model.dispose();
  }
}

async function humanEval(
  context: ReportContext,
  model: Model,
  tasks: readonly Task[],
  folder: string,
  humaneval: string,
): Promise<string> {
  const run = (strength: number, chosen: readonly Task[]) => {
    context.log(`SmolLM2 on HumanEval-X: strength ${strength}, ${chosen.length} tasks`);
    const decoding = { ...PLAIN, strength, maxTokens: MAX_TOKENS };
    const { sandbox } = context;
    return measure({ model, modelName: "SmolLM2-135M-Instruct", tasks: chosen, sandbox, decoding, batchSize: 16 });
  };
  const result = await tuneStrength({
    tasks: tasks.length,
    step: 0.2,
    resolution: 0.1,
    score: async (strength, indices) =>
      passes(
        await run(
          strength,
          indices.map((index) => tasks[index]!),
        ),
      ).filter(Boolean).length,
  });
  const { curve, strength, tuned } = result;
  const fixed = strength === 1 ? 1.25 : strength;
  const [plain, anchored] = [await run(1, tasks), await run(fixed, tasks)];
  const { onlyFirst, onlySecond, pValue } = compared(plain, anchored);
  const rows = curve.map(({ strength: at, passed }) => [at.toFixed(2), `${passed} of ${tuned.tasks}`]);
  return `## SmolLM2-135M-Instruct on HumanEval-X JavaScript

The first ${tasks.length} tasks, greedy, at most ${MAX_TOKENS} tokens, bf16 weights; the description up to the first example is anchored. Tuned on ${tuned.tasks} tasks.

${table([["strength", "passed"], ...rows])}

Best: ${strength}. ${heldText(result)}
On all ${tasks.length}: plain ${rateText(plain)},
SPA ${fixed} ${rateText(anchored)}; ${onlyFirst} tasks only without anchors, ${onlySecond} only with anchors (McNemar, exact: ${pText(pValue)}).
A model of this size passes so few of these tasks that a gain of a few points is indistinguishable from chance: this shows that the method runs, not whether it helps.

${command(`npx kedge tune ${shown(folder)} ${shown(humaneval)} --limit ${tasks.length} --max-tokens ${MAX_TOKENS} --step 0.2`, `npx kedge eval ${shown(folder)} ${shown(humaneval)} --limit ${tasks.length} --max-tokens ${MAX_TOKENS} --anchoring 1 --anchoring ${fixed}`)}`;
}

async function perplexities(
  context: ReportContext,
  model: Model,
  tasks: readonly Task[],
  folder: string,
  humaneval: string,
): Promise<string> {
  const text = tasks.map(({ prompt, canonicalSolution }) => prompt + canonicalSolution).join("\n");
  const tokens = model.tokenize(text).slice(0, PERPLEXITY_TOKENS);
  const budget = 256;
  const kinds: (CachePolicy | undefined)[] = [
    undefined,
    policies.window({ budget }),
    policies.sinks({ budget }),
    policies.heavyHitters({ budget, duringPrompt: true }),
    policies.lastQuery({ budget, duringPrompt: true }),
    policies.keyNorm({ budget, duringPrompt: true }),
    policies.anchors(),
    policies.anchors({ keepRecent: 8 }),
  ];
  const rows: string[][] = [];
  for (const cache of kinds) {
    context.log(`SmolLM2, perplexity: ${cache?.name ?? "full"}`);
    model.resetCacheStatistics();
    const { perplexity } = await model.score(tokens, cache ? { cache } : {});
    const { mean, denseMean } = model.cacheStatistics();
    rows.push([cache?.name ?? "full", perplexity.toFixed(2), percent(mean / denseMean)]);
  }
  return `## Perplexity of SmolLM2-135M-Instruct under each policy

The first ${tokens.length} tokens of HumanEval-X's JavaScript prompts and solutions, one after the other, as one text (\`${shown(humaneval)}\`). Policies act after each step of at most ${model.device.preferredRows} tokens, those by attention also during the text.
The model was trained for none of them. Bytes: the cache's mean over the steps, as a share of the dense one's.

${table([["policy", "perplexity", "bytes"], ...rows])}

${command(`npm run results -- --smollm2 ${shown(folder)} --humaneval ${shown(humaneval)}`)}`;
}

function rateText({ evaluation }: Measurement): string {
  return `${evaluation.passAt["1"]!.toFixed(3)} (95 %: ${intervalText(evaluation.interval)})`;
}

/** The last part of a path: readers have the file elsewhere. */
function shown(path: string): string {
  return path.split("/").at(-1)!;
}
