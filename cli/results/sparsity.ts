// The section on sparsity: on how few keys attention concentrates, and which tokens these are.

import { type Model } from "kedge";
import { studyAttention, TOKEN_CLASSES } from "kedge/attention";
import { MODELS, type ReportContext } from "./context.ts";
import { command, percent, table } from "./markdown.ts";

/** Gini coefficients, the mass of the two largest weights, and the mass per class of token. */
export async function sparsity(context: ReportContext): Promise<string> {
  const parts: string[] = [];
  for (const name of ["dense", "anchored"] as const) parts.push(await ofModel(context, name, context.models[name]));
  return `## The sparsity of attention

On the first 20 tasks of \`eval-std\`, prompt and solution: per layer, the mean Gini coefficient of a row's weights and the mass of its two largest (rows with 32 keys or more that they may see), over heads, rows and tasks; and the share of
attention that each class of tokens gets, against its share of the positions that could be seen.

${parts.join("\n\n")}

${command(`npx kedge attention ${MODELS.dense} --prompt-file TEXT.js --max-tokens 1 --json`)}`;
}

async function ofModel(context: ReportContext, name: "dense" | "anchored", model: Model): Promise<string> {
  const tasks = context.tasks.std.slice(0, 20);
  const layers = Array.from({ length: model.config.layers }, () => ({ gini: 0, top: 0, counted: 0 }));
  const classes = new Map(TOKEN_CLASSES.map((kind) => [kind, layers.map(() => ({ mass: 0, positions: 0 }))]));
  for (const task of tasks) {
    const study = await studyAttention(model, model.tokenize(task.prompt + task.canonicalSolution));
    for (const { layer, sparsity: found, classes: shares } of study.layers) {
      const sums = layers[layer]!;
      if (found.gini && found.topMass) {
        sums.gini += found.gini.mean;
        sums.top += found.topMass.mean;
        sums.counted++;
      }
      for (const [kind, ofLayers] of classes) {
        ofLayers[layer]!.mass += (shares?.[kind].mass ?? 0) / tasks.length;
        ofLayers[layer]!.positions += (shares?.[kind].positions ?? 0) / tasks.length;
      }
    }
  }
  const present = [...classes].filter(([, ofLayers]) => ofLayers.some(({ positions }) => positions > 0));
  const rows = layers.map(({ gini, top, counted }, layer) => [
    String(layer),
    mean(gini, counted),
    mean(top, counted),
    ...present.map(
      ([, ofLayers]) => `${percent(ofLayers[layer]!.mass, 0)} / ${percent(ofLayers[layer]!.positions, 0)}`,
    ),
  ]);
  return `### ${name === "dense" ? "Dense model" : "Anchored model, with its anchors"}

${table([["layer", "Gini", "two largest", ...present.map(([kind]) => kind)], ...rows])}`;
}

function mean(sum: number, count: number): string {
  return count > 0 ? (sum / count).toFixed(3) : "-";
}
