// Sections on anchor attention: what it costs in passes and saves in bytes, and what untrained policies do with as many bytes.

import { policies, type CachePolicy } from "kedge";
import { compared, type Measurement } from "../evaluation/measure.ts";
import { pText } from "../evaluation/scoring.ts";
import { BATCH, MODELS, SETS, type ReportContext, type SetName } from "./context.ts";
import { bytes, command, intervalText, percent, table } from "./markdown.ts";

const HEAD = ["", "pass@1", "95 %", "cache, mean", "of dense", "cache, peak", "of dense"];

function row(label: string, { evaluation, cache }: Measurement): string[] {
  return [
    label,
    evaluation.passAt["1"]!.toFixed(3),
    intervalText(evaluation.interval),
    bytes(cache.mean),
    percent(cache.mean / cache.denseMean),
    bytes(cache.peak),
    percent(cache.peak / cache.densePeak),
  ];
}

/** Dense against anchored, on both sets. */
export async function anchorAttention(context: ReportContext): Promise<string> {
  const rows: string[][] = [];
  const tests: string[] = [];
  for (const set of ["std", "long"] as const) {
    const dense = await context.measure("dense", set);
    const anchored = await context.measure("anchored", set);
    const without = await context.measure("anchored", set, { cache: policies.full() });
    rows.push(
      row(`${set}: dense model`, dense),
      row(`${set}: anchored model`, anchored),
      row(`${set}: anchored model, run without its anchors`, without),
    );
    const { onlyFirst, onlySecond, pValue } = compared(dense, anchored);
    tests.push(
      `On ${set}, ${onlyFirst} tasks are passed by the dense model alone and ${onlySecond} by the anchored one alone (McNemar, exact: ${pText(pValue)}).`,
    );
  }
  return `## Anchor attention: passes and bytes

The dense model and the one trained with token-wise and layer-wise anchors, greedy, ${context.tasks.std.length} tasks of each set, decoded ${BATCH} at a time.
The cache counts its bytes after every step (mean) and at its largest, and compares them with a cache that drops nothing.

${table([HEAD, ...rows])}

${tests.join("\n")}
This does not show how a larger model, or one trained longer, would do. In the last row of each set nothing is dropped and no layer reads another's anchors: the anchored model needs the anchors that it was trained with.

${command(...(["std", "long"] as const).flatMap((set) => [`npx kedge eval ${MODELS.dense} ${SETS[set]} --batch 32`, `npx kedge eval ${MODELS.anchored} ${SETS[set]} --batch 32 --cache anchors --cache full`]))}`;
}

/** Policies that no model was trained for, on the dense model, with the anchored model's bytes. */
export async function untrainedPolicies(context: ReportContext): Promise<string> {
  const sections: string[] = [];
  for (const set of ["std", "long"] as const) {
    const anchored = await context.measure("anchored", set);
    const budget = await equalBudget(context, set, anchored);
    const kinds: CachePolicy[] = [
      policies.window({ budget }),
      policies.sinks({ budget: Math.max(5, budget) }),
      policies.heavyHitters({ budget }),
      policies.lastQuery({ budget }),
      policies.snapKv({ budget, window: Math.min(32, Math.floor(budget / 2)) }),
      policies.keyNorm({ budget }),
      policies.anchors(),
    ];
    const rows = [row("dense model, full", await context.measure("dense", set))];
    for (const cache of kinds)
      rows.push(row(`dense model, ${cache.name}`, await context.measure("dense", set, { cache })));
    rows.push(row("anchored model, anchors", anchored));
    sections.push(`### ${set}, ${budget} keys

${table([HEAD, ...rows])}

${command(`npx kedge eval ${MODELS.dense} ${SETS[set]} --batch 32 ${kinds.map(({ name }) => `--cache ${name}`).join(" ")}`)}`);
  }
  return `## Policies without training, at the same bytes

The dense model under each policy, with the budget of keys at which a window takes the same share of the dense bytes as the anchored model on the same set. Policies that choose by attention read the whole
prompt first, so that their peak is that of the prompt; \`anchors\` on the dense model drops lines that the model was not trained to gather.

${sections.join("\n\n")}`;
}

/** The window whose mean bytes are nearest to the anchored model's. */
async function equalBudget(context: ReportContext, set: SetName, anchored: Measurement): Promise<number> {
  let best = { budget: 0, distance: Number.POSITIVE_INFINITY };
  for (const budget of [8, 12, 16, 20, 24, 28, 32, 40, 48]) {
    const { cache } = await context.measure("dense", set, { cache: policies.window({ budget }) });
    const distance = Math.abs(cache.mean / cache.denseMean - anchored.cache.mean / anchored.cache.denseMean);
    if (distance < best.distance) best = { budget, distance };
  }
  return best.budget;
}
