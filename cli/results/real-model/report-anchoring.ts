// The sections on Selective Prompt Anchoring: plain passes, one strength for all tasks, a tuned one, after failed examples only, variants.

import type { TuneResult } from "kedge/anchoring";
import { heldText, table } from "../markdown.ts";
import { isBeyondChance, judgedCount, paired, pairedCells, pairedText, passedCount, scoreCells } from "./comparison.ts";
import { measured } from "./missing.ts";
import {
  BENCHMARKS,
  CHAT,
  RANDOM_SPANS,
  SECOND_TRY,
  STRENGTH,
  TUNING,
  VARIANTS,
  type Benchmark,
  type BenchmarkName,
  type Job,
  type TestsName,
  type Way,
} from "./plan.ts";
import type { Passes, Scores } from "./study.ts";

const NAMES = Object.keys(BENCHMARKS) as BenchmarkName[];
const PLAIN: Way = {};
const ANCHORED: Way = { strength: STRENGTH };

/** Published for the model as it was trained, by Table 16 of arXiv 2409.12186v3: asked through its chat template, greedy. */
const PUBLISHED: Readonly<Partial<Record<BenchmarkName, Readonly<Partial<Record<TestsName, string>>>>>> = {
  humaneval: { base: "0.616", plus: "0.573" },
  "mbpp-plus": { base: "0.524", plus: "0.437" },
};

/** A benchmark with a kind of tests, as it is called. */
function titleOf(benchmark: BenchmarkName, tests: TestsName): string {
  const { title }: Benchmark = BENCHMARKS[benchmark];
  if (benchmark === "mbpp-plus") return tests === "plus" ? title : `${title}'s tasks, MBPP's tests`;
  return tests === "plus" ? `${title}+` : title;
}

/** Every benchmark with every kind of its tests. */
const SCORES = NAMES.flatMap((benchmark) => {
  const { tests }: Benchmark = BENCHMARKS[benchmark];
  return tests.map((one) => ({ benchmark, tests: one, title: titleOf(benchmark, one) }));
});

const all = (benchmark: BenchmarkName, way: Way): Job => ({ benchmark, way, tasks: "all" });

/** Plain pass@1, beside the published figures. */
export async function plainPasses(study: Scores): Promise<string> {
  const rows: string[][] = [];
  for (const { benchmark, tests, title } of SCORES) {
    const forms: readonly Way[] = PUBLISHED[benchmark] === undefined ? [PLAIN] : [PLAIN, CHAT];
    for (const way of forms) {
      const found = await measured(() => study.passes(all(benchmark, way), tests));
      const cells = "why" in found ? [found.why, "-", "-"] : scoreCells(found.value);
      const published = way.form === "chat" ? PUBLISHED[benchmark]?.[tests] : undefined;
      rows.push([title, way.form ?? "continued", ...cells, published ?? "-"]);
    }
  }
  return `### Plain pass@1

"Continued" gives the model the benchmark's prompt as it is; "chat" asks for it through the chat template and takes the code from the answer. Published are the figures of the model's makers for the model as it was trained
(bf16, asked through its template; [arXiv 2409.12186](https://arxiv.org/abs/2409.12186), version 3, Table 16): they are there for "chat".

${table([["tasks", "form", "passed", "pass@1", "95 %", "published"], ...rows])}

This shows where the model stands before anything is anchored. A published figure inside the interval says that int8 and kedge's own prompt and tests cost nothing that can be seen with so many tasks.`;
}

/** One strength on all tasks. */
export async function oneStrength(study: Scores): Promise<string> {
  const rows: string[][] = [];
  for (const { benchmark, tests, title } of SCORES) {
    if (benchmark === "mbpp-plus") continue;
    const found = await measured(async () => {
      const [plain, anchored] = [
        await study.passes(all(benchmark, PLAIN), tests),
        await study.passes(all(benchmark, ANCHORED), tests),
      ];
      return [plain, anchored, await changedTexts(study, benchmark, ANCHORED)] as const;
    });
    if ("why" in found) rows.push([title, found.why, "-", "-", "-", "-", "-"]);
    else {
      const [plain, anchored, changed] = found.value;
      rows.push([
        title,
        scoreCells(plain)[0],
        scoreCells(anchored)[0],
        String(changed),
        ...pairedCells(paired(plain, anchored)),
      ]);
    }
  }
  return `### Anchoring everywhere, at kedge's default strength

SPA at ${STRENGTH}, chosen before any of these tasks was seen: the description up to its first example is one group, and the padding token stands in for its words.

${table([["tasks", "plain", `SPA ${STRENGTH}`, "texts changed", "gained", "lost", "McNemar"], ...rows])}

This shows what a user gets who switches anchoring on and tunes nothing. It does not show what another strength, or anchors chosen by hand, would do.`;
}

/** How many texts differ from the plain ones. */
async function changedTexts(study: Scores, benchmark: BenchmarkName, way: Way): Promise<number> {
  const [plain, other] = [await study.completions(all(benchmark, PLAIN)), await study.completions(all(benchmark, way))];
  return plain.filter(({ text }, index) => text !== other[index]!.text).length;
}

/** The search for a strength, and what it gains on other tasks. */
export async function tunedStrength(study: Scores): Promise<string> {
  const parts: string[] = [];
  for (const benchmark of NAMES) {
    const found = await measured(() => study.search(benchmark));
    const title = titleOf(benchmark, "base");
    parts.push("why" in found ? `**${title}**: ${found.why}.` : await searchText(study, benchmark, title, found.value));
  }
  return `### A strength tuned on ${100 * TUNING.share} % of the tasks

As in the paper, the strength is searched on a part of the tasks and scored on the others; the search is \`kedge tune\`'s (the strength judged by its neighborhood, seed ${TUNING.seed}). The paper reports gains of pass@1 of up to 12.9 % over six models and
six benchmarks, none lost, with strengths tuned so ([arXiv 2408.09121](https://arxiv.org/abs/2408.09121), version 5, abstract).

${parts.join("\n\n")}

The curve is of few tasks: points whose intervals overlap are not ordered by it. The gain counts, since its tasks were not used to choose.`;
}

async function searchText(study: Scores, benchmark: BenchmarkName, title: string, result: TuneResult): Promise<string> {
  const { curve, strength, tuned } = result;
  const rows = curve.map((point) => [
    point.strength.toString(),
    `${point.passed} of ${tuned.tasks}`,
    point.smoothed.toFixed(3),
  ]);
  const parts = [
    `**${title}**`,
    table([["strength", "passed", "judged by its neighborhood"], ...rows]),
    heldText(result),
  ];
  if (strength !== 1) {
    const { tests }: Benchmark = BENCHMARKS[benchmark];
    for (const one of tests) {
      const [plain, anchored] = [
        await study.passes({ benchmark, way: PLAIN, tasks: "held" }, one),
        await study.passes({ benchmark, way: { strength }, tasks: "held" }, one),
      ];
      parts.push(`${titleOf(benchmark, one)}: ${pairedText(paired(plain, anchored))}.`);
    }
  }
  return parts.join("\n\n");
}

/** Anchoring only where the plain text fails the prompt's own examples, beside other second tries. */
export async function afterFailedExamples(study: Scores): Promise<string> {
  const tries: readonly { readonly name: string; readonly way: Way }[] = [
    { name: `SPA ${STRENGTH}`, way: ANCHORED },
    { name: `a sample at temperature ${SECOND_TRY.temperature}`, way: SECOND_TRY },
    { name: `SPA ${STRENGTH} on random spans`, way: RANDOM_SPANS },
  ];
  const rows: string[][] = [];
  const checks: string[] = [];
  for (const { benchmark, tests, title } of SCORES) {
    const plainly = await measured(async () => {
      const passes = await study.passes(all(benchmark, PLAIN), tests);
      return { passes, examples: await study.passes(all(benchmark, PLAIN), "examples") };
    });
    if ("why" in plainly) {
      rows.push([title, "plain", plainly.why, "-", "-", "-", "-"]);
      continue;
    }
    const { passes: plain, examples } = plainly.value;
    rows.push([title, "plain", ...scoreCells(plain).slice(0, 2), "-", "-", "-"]);
    if (judgedCount(examples) === 0) {
      checks.push(`${title}: no prompt has examples that can be run.`);
      continue;
    }
    const failing = examples.filter((passed) => passed === false).length;
    checks.push(
      `${title}: ${judgedCount(examples)} of ${examples.length} prompts have examples that can be run; ${failing} plain texts fail them.`,
    );
    let anchored: Passes | undefined;
    for (const { name, way } of tries) {
      const found = await measured(() => study.passes({ benchmark, way, tasks: "failing" }, tests));
      if ("why" in found) {
        rows.push([title, `then ${name}`, found.why, "-", "-", "-", "-"]);
        continue;
      }
      const combined = replaced(plain, examples, found.value);
      rows.push([title, `then ${name}`, ...scoreCells(combined).slice(0, 2), ...pairedCells(paired(plain, combined))]);
      if (anchored === undefined && way === ANCHORED) anchored = combined;
      else if (anchored !== undefined) {
        const test = paired(combined, anchored);
        checks.push(`${title}, SPA against ${name}: ${pairedText(test)}.`);
      }
    }
  }
  return `### Anchoring after failed examples only

The paper's test-triggered form: a text that fails the examples of its own prompt is written again. The score is the benchmark's hidden tests; the second text replaces the first whatever it does. A second try of any
kind gains, so two others stand beside it at the same price: a plain sample at temperature ${SECOND_TRY.temperature}, and SPA on spans of the same length elsewhere in the prompt. What SPA has over these is what holding on to the description brings.

${table([["tasks", "", "passed", "pass@1", "gained", "lost", "McNemar against plain"], ...rows])}

${[...new Set(checks)].map((line) => `- ${line}`).join("\n")}

This shows what one second try is worth. It does not show how many tries would be.`;
}

/** The passes with those of failing tasks replaced, which are given in order. */
export function replaced(plain: Passes, examples: Passes, second: Passes): Passes {
  let at = 0;
  const combined = plain.map((passed, index) => (examples[index] === false ? second[at++] : passed));
  if (at !== second.length)
    throw new RangeError(`${second.length} second tries for ${at} tasks that fail their examples`);
  return combined;
}

/** What a user may choose between. */
export async function variants(study: Scores): Promise<string> {
  const plain = await measured(() => study.passes(all("humaneval", PLAIN), "base"));
  const papers = await measured(() => study.passes(all("humaneval", ANCHORED), "base"));
  const rows: string[][] = [];
  const differing: string[] = [];
  for (const { name, way } of VARIANTS) {
    const found = await measured(() => study.passes(all("humaneval", way), "base"));
    if ("why" in found || "why" in plain) {
      rows.push([name, "why" in found ? found.why : "", "-", "-", "-", "-", "-"]);
      continue;
    }
    const against = "why" in papers ? undefined : paired(papers.value, found.value);
    if (against && isBeyondChance(against)) differing.push(name);
    const isPapers = name === VARIANTS[0]!.name;
    rows.push([
      name,
      ...scoreCells(found.value),
      ...pairedCells(paired(plain.value, found.value)).slice(0, 2),
      isPapers || against === undefined ? "-" : pairedCells(against)[2],
    ]);
  }
  const isWhole = rows.every((cells) => cells[2] !== "-");
  const verdict =
    differing.length > 0
      ? `Differs from the paper's by more than chance explains: ${differing.join(", ")}. Of so many comparisons, one in twenty does so by chance.`
      : "No variant differs from the paper's by more than chance explains: on this model none of these choices is shown to matter.";
  return `### Which choices matter

HumanEval, each at ${STRENGTH}, all tasks${"why" in plain ? "" : `; plain: ${passedCount(plain.value)} of ${judgedCount(plain.value)}`}.

${table([["", "passed", "pass@1", "95 %", "gained", "lost", "McNemar against the first row"], ...rows])}

${isWhole ? verdict : "Not all of these are measured yet; nothing is concluded from a part."}`;
}
