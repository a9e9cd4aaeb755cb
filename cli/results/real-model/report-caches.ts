// The sections on caches and attention: passes and perplexity under policies, and how the prompt's share of attention falls.

import { percent, table } from "../markdown.ts";
import { isBeyondChance, judgedCount, paired, pairedCells, passedCount, scoreCells } from "./comparison.ts";
import { DILUTION_TOKENS, PERPLEXITY_TOKENS, type Dilution, type Perplexity } from "./measurements.ts";
import { measured } from "./missing.ts";
import { PERPLEXITIES, POLICIES, type Job } from "./plan.ts";
import type { Scores } from "./study.ts";

const BENCHMARK = "humaneval-x-js";
const PLAIN: Job = { benchmark: BENCHMARK, way: {}, tasks: "all" };

/** Passes under each policy at its measured bytes, and perplexity. */
export async function smallCaches(study: Scores, perplexities: readonly Perplexity[]): Promise<string> {
  const plain = await measured(() => study.passes(PLAIN, "base"));
  const rows: string[][] = [];
  const harmless: string[] = [];
  let isWhole = !("why" in plain);
  for (const { cache } of POLICIES) {
    const job: Job = { benchmark: BENCHMARK, way: { cache }, tasks: "all" };
    const found = await measured(async () => [await study.passes(job, "base"), await keptShare(study, job)] as const);
    if ("why" in found || "why" in plain) {
      isWhole = false;
      rows.push([`\`${cache}\``, "-", "why" in found ? found.why : "", "-", "-", "-", "-", "-"]);
      continue;
    }
    const [passes, share] = found.value;
    const test = paired(plain.value, passes);
    if (!isBeyondChance(test)) harmless.push(`\`${cache}\` (${percent(share, 0)})`);
    rows.push([`\`${cache}\``, percent(share), ...scoreCells(passes), ...pairedCells(test)]);
  }
  const verdict =
    harmless.length === 0
      ? "Every one of these loses more than chance explains: without training, none of them keeps this model's passes at so few bytes."
      : `Not shown to lose anything: ${harmless.join(", ")}; the others lose more than chance explains.`;
  return `### The small cache without training

HumanEval-X JavaScript, greedy, under each policy${"why" in plain ? "" : `; with all keys ${passedCount(plain.value)} of ${judgedCount(plain.value)} pass`}. A share is of the prompt's keys; the bytes are measured, after each step, against a cache that drops nothing.

${table([["policy", "of the dense bytes", "passed", "pass@1", "95 %", "gained", "lost", "McNemar against all keys"], ...rows])}

${isWhole ? verdict : "Not all of these are measured yet; nothing is concluded from a part."} The tasks are short (prompts of 170 tokens or so): this does not show what a policy does to long texts, for which they were made.

${perplexityText(perplexities)}`;
}

function perplexityText(perplexities: readonly Perplexity[]): string {
  const rows = PERPLEXITIES.map((cache) => {
    const found = perplexities.find(({ id }) => id === cache);
    if (found === undefined) return [`\`${cache}\``, "-", "not measured yet"];
    return [`\`${cache}\``, percent(found.kept / found.dense), found.perplexity.toFixed(2)];
  });
  return `Perplexity beside it, of the first ${PERPLEXITY_TOKENS} tokens of the same prompts and their solutions, one after the other as one text:

${table([["policy", "of the dense bytes", "perplexity"], ...rows])}

It shows what a policy costs in the middle of a text of which the model has to know the last lines above all; passes show what it costs to lose the task itself.`;
}

/** Bytes that were kept, of those of a cache that drops nothing. */
async function keptShare(study: Scores, job: Job): Promise<number> {
  let [kept, dense] = [0, 0];
  for (const { cache } of await study.completions(job)) {
    kept += cache?.kept ?? 0;
    dense += cache?.dense ?? 0;
  }
  return kept / dense;
}

/** Where the plot is, seen from the report. */
export const DILUTION_PLOT = "dilution.svg";

/** How the prompt's share of attention falls over what is written. */
export function dilutionText(dilutions: readonly Dilution[]): string {
  const heading = "### Attention dilution";
  if (dilutions.length === 0) return `${heading}\n\nNot measured yet.`;
  const marks = [0, 5, 10, 20, 40, 60, DILUTION_TOKENS];
  const rows = marks.map((mark) => {
    const shares = dilutions.flatMap(({ shares: { [mark]: share } }) => (share === undefined ? [] : [share]));
    const sorted = shares.toSorted((a, b) => a - b);
    const middle = `${percent(quantile(sorted, 0.25))} to ${percent(quantile(sorted, 0.75))}`;
    const ofTokens = dilutions.map(({ promptTokens }) => promptTokens / (promptTokens + mark));
    return [String(mark), percent(meanOf(shares)), middle, percent(meanOf(ofTokens))];
  });
  return `${heading}

The prompt's share of the last layer's attention, mean over heads, when the n-th token after it is chosen: the paper's measure, on the ${dilutions.length} tasks of HumanEval-X whose plain text has ${DILUTION_TOKENS} tokens or more, so that the same tasks stand behind each point.

![The prompt's share of attention over generated tokens](${DILUTION_PLOT})

${table([["tokens after the prompt", "mean", "middle half of the tasks", "share of the tokens"], ...rows])}

The last column is the prompt's share of the tokens: an attention that made no difference between tokens would follow it. This shows how far the prompt's share falls on this model; it does not show that errors come of it.`;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value below which this part of ascending values lies, between the two nearest. */
export function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = Math.floor(at);
  return sorted[below]! + (at - below) * ((sorted[below + 1] ?? sorted[below]!) - sorted[below]!);
}
