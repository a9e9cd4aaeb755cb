// Sections on Selective Prompt Anchoring: the strength's curve and its gain on other tasks, groups and strengths that change, how
// attention dilutes, and how far SPA is from what it approximates.

import { collect } from "kedge";
import { tuneStrength } from "kedge/anchoring";
import { studyAttention } from "kedge/attention";
import { PLAIN } from "../evaluation/completer.ts";
import { compared, measure, passes } from "../evaluation/measure.ts";
import { pText } from "../evaluation/scoring.ts";
import { MODELS, SETS, type ReportContext } from "./context.ts";
import { command, heldText, percent, table } from "./markdown.ts";

/** The tuned strength, and the section on finding it. */
export async function tuning(context: ReportContext): Promise<{ readonly strength: number; readonly text: string }> {
  const tasks = context.tasks.long;
  const result = await tuneStrength({
    tasks: tasks.length,
    score: async (strength, indices) => {
      context.log(`tuning on long: strength ${strength}, ${indices.length} tasks`);
      const measured = await measure({
        model: context.models.dense,
        modelName: "shipped",
        tasks: indices.map((index) => tasks[index]!),
        sandbox: context.sandbox,
        decoding: { ...PLAIN, strength },
        batchSize: 16,
      });
      return passes(measured).filter(Boolean).length;
    },
  });
  const { curve, strength, tuned, held } = result;
  const plain = await context.measure("dense", "long");
  const anchored = await context.measure("dense", "long", { strength });
  const { onlyFirst, onlySecond, pValue } = compared(plain, anchored);
  const larger: string[][] = [];
  for (const beyond of [2, 3, 4]) {
    const measured = await context.measure("dense", "long", { strength: beyond });
    const changed = measured.evaluation.results.filter(
      ({ samples }, i) => samples[0]!.completion !== plain.evaluation.results[i]!.samples[0]!.completion,
    );
    larger.push([
      String(beyond),
      measured.evaluation.passAt["1"]!.toFixed(3),
      percent(changed.length / tasks.length, 0),
    ]);
  }
  const rows = curve.map((point) => [
    point.strength.toFixed(3),
    `${point.passed} of ${tuned.tasks}`,
    point.rate.toFixed(3),
    point.smoothed.toFixed(3),
  ]);
  const text = `## Selective Prompt Anchoring: the curve and the gain

The dense model on \`eval-long\` (five to seven steps, more than in its training; it fails by skipping steps). The description's lines are anchored as one group. The strength is searched on
${tuned.tasks} tasks and scored on the other ${held.tasks}.

${table([["strength", "passed", "rate", "smoothed"], ...rows])}

Best: **${strength}**. ${heldText(result)}
On all ${tasks.length} tasks, ${onlyFirst} are passed only without anchors and ${onlySecond} only with anchors (McNemar, exact: ${pText(pValue)}; the tuning tasks are among them).

Beyond the searched range, on all ${tasks.length} tasks (plain: ${plain.evaluation.passAt["1"]!.toFixed(3)}):

${table([["strength", "pass@1", "texts that differ from the plain ones"], ...larger])}

${command(`npx kedge tune ${MODELS.dense} ${SETS.long}`, `npx kedge eval ${MODELS.dense} ${SETS.long} --batch 32 --anchoring 1 --anchoring 2 --anchoring 3 --anchoring 4`)}`;
  return { strength, text };
}

/** One group or one for each clause; a constant strength or `byNeglect`. */
export async function groupsAndNeglect(context: ReportContext, tuned: number): Promise<string> {
  const strength = tuned === 1 ? 1.25 : tuned;
  const plain = await context.measure("dense", "long");
  const kinds = [
    ["one group, constant", { strength }, `--anchoring ${strength}`],
    ["a group per clause, constant", { strength, grouping: "clauses" }, `--anchoring ${strength} --groups clauses`],
    ["one group, byNeglect", { strength, byNeglect: true }, `--anchoring ${strength} --by-neglect`],
    [
      "a group per clause, byNeglect",
      { strength, grouping: "clauses", byNeglect: true },
      `--anchoring ${strength} --groups clauses --by-neglect`,
    ],
  ] as const;
  const rows = [["plain", plain.evaluation.passAt["1"]!.toFixed(3), "", "", ""]];
  for (const [label, decoding] of kinds) {
    const measured = await context.measure("dense", "long", decoding);
    const { onlyFirst, onlySecond, pValue } = compared(plain, measured);
    rows.push([
      label,
      measured.evaluation.passAt["1"]!.toFixed(3),
      String(onlySecond),
      String(onlyFirst),
      pText(pValue),
    ]);
  }
  return `## One group or several, a constant strength or byNeglect

\`eval-long\`, dense model, strength ${strength}${tuned === 1 ? " (the tuned strength is 1, which would change nothing)" : " (the tuned one)"}, ${context.tasks.long.length} tasks. \`byNeglect\` is kedge's own rule: the strength of a group grows from 1 as its recent share of attention falls below its share of the prompt's tokens.

${table([["", "pass@1", "gained", "lost", "McNemar against plain"], ...rows])}

${command(...kinds.map(([, , options]) => `npx kedge eval ${MODELS.dense} ${SETS.long} --batch 32 ${options}`))}`;
}

/** The prompt's share of attention over the generated text. */
export async function dilution(context: ReportContext, tuned: number): Promise<string> {
  const strength = tuned === 1 ? 1.25 : tuned;
  const model = context.models.dense;
  const tasks = context.tasks.long.slice(0, 40);
  const marks = [0, 5, 10, 20, 40, 60, 80];
  const sums = { plain: marks.map(() => [0, 0]), anchored: marks.map(() => [0, 0]) };
  for (const task of tasks) {
    const prompt = model.tokenize(task.prompt);
    for (const kind of ["plain", "anchored"] as const) {
      const anchors = task.anchors.map(({ begin, end }) => ({ characters: { begin, end } }));
      const options = { maxTokens: 81, ignoreEndTokens: true };
      const [row] = await collect(
        kind === "plain"
          ? model.generate(prompt, options)
          : model.generate({ prompt: task.prompt, anchors }, { ...options, anchoring: { strength } }),
      );
      const study = await studyAttention(model, [...prompt, ...row!.tokens], { promptLength: prompt.length });
      for (const [i, mark] of marks.entries()) {
        const share = study.dilution[mark];
        if (share === undefined) continue;
        sums[kind][i]![0]! += share;
        sums[kind][i]![1]! += 1;
      }
    }
  }
  const rows = marks.map((mark, i) => [String(mark), meanShare(sums.plain[i]!), meanShare(sums.anchored[i]!)]);
  return `## Attention dilution

The prompt's share of the last layer's attention when the n-th token after it is chosen, mean over heads and over the first ${tasks.length} tasks of \`eval-long\`; continued without anchors, and with the description anchored at strength ${strength}. The text is
what was generated in each case; the shares are those of the plain row.

${table([["tokens after the prompt", "plain", `SPA ${strength}`], ...rows])}

The share falls as the text grows: this is the dilution that motivates SPA's paper. SPA changes which tokens are chosen, not the attention of the plain row.

${command(`npx kedge attention ${MODELS.dense} --prompt-file PROMPT.txt --max-tokens 81`, `npx kedge attention ${MODELS.dense} --prompt-file PROMPT.txt --max-tokens 81 --anchoring ${strength} --anchor "TEXT"`)}`;
}

/** A solution up to the method call in its second line, or its first line if there is none. */
function toSecondStep(solution: string): string {
  const second = solution.indexOf("\n") + 1;
  const dot = solution.indexOf(".", second);
  return solution.slice(0, dot < 0 ? second : dot + 1);
}

function meanShare([sum = 0, count = 0]: readonly number[]): string {
  return count > 0 ? percent(sum / count) : "-";
}

/** The first-order combination against the amplified embeddings that it approximates. */
export async function exactness(context: ReportContext): Promise<string> {
  const model = context.models.dense;
  const tasks = context.tasks.long.slice(0, 40);
  const strengths = [-1, 0, 0.5, 0.9, 1, 1.1, 1.25, 1.5, 2, 3];
  const sums = strengths.map(() => ({ kl: 0, agree: 0, second: 0, curvature: 0 }));
  for (const task of tasks) {
    const anchors = task.anchors.map(({ begin, end }) => ({ characters: { begin, end } }));
    const prompt = task.prompt + toSecondStep(task.canonicalSolution);
    const rows = await model.compareWithExact({ prompt, anchors }, strengths);
    for (const [i, { kl, isTopEqual, secondOrder, curvature }] of rows.entries()) {
      sums[i]!.kl += kl / tasks.length;
      sums[i]!.agree += Number(isTopEqual) / tasks.length;
      sums[i]!.second += (secondOrder ?? 0) / tasks.length;
      sums[i]!.curvature += (curvature ?? 0) / tasks.length;
    }
  }
  const rows = strengths.map((strength, i) => {
    const { kl, agree, second, curvature } = sums[i]!;
    return [
      String(strength),
      kl.toExponential(2),
      percent(agree, 0),
      strength === 1 ? "-" : second.toFixed(3),
      strength === 1 || strength === 0 ? "-" : curvature.toFixed(3),
    ];
  });
  return `## SPA against the exact mode

SPA is a first-order approximation of a model run on amplified embeddings, E_mask + w (E - E_mask). The exact mode runs that row. Means over the first ${tasks.length} tasks of \`eval-long\`, each continued with its solution up to the point where the second step's method is chosen: the divergence of the next-token
distributions, how often both have the same most likely token, |F(w) - exact| / (w - 1)² and |F(w) - exact| / |w (w - 1)| (root mean square over the vocabulary).

${table([["w", "KL, nats", "same top token", "second-order term", "curvature"], ...rows])}

F is the straight line through the exact logits at w = 0 and w = 1, so the two agree there; the columns on the right show the deviation from the line elsewhere. One next token of each task is measured.

${command(`npx kedge attention ${MODELS.dense} --prompt-file PROMPT.txt --anchor "TEXT" --spa-error ${strengths.join(",")}`)}`;
}
