// What the study runs, as data: benchmarks, ways of decoding, and which tasks of a benchmark a way is run on, most telling first.
//
// A way of decoding and a benchmark have one file of completions; the tasks in it can grow from a part (those that tune) to all.

import { createHash } from "node:crypto";
import type { AnchoringOptions } from "kedge";
import { DEFAULT_STRENGTH, splitTasks } from "kedge/anchoring";
import { askedTask, type Task, type TextRange } from "../../evaluation/task.ts";

/** What a text is judged by: the prompt's own examples, the benchmark's tests, and the larger tests of its "+". */
export type TestsName = "examples" | "base" | "plus";

/** A set of tasks: where its prompts are, in the folder of benchmarks, and what there is to judge texts by. */
export interface Benchmark {
  readonly title: string;
  readonly file: string;
  readonly tests: readonly Exclude<TestsName, "examples">[];
}

/** The sets of tasks. */
export const BENCHMARKS = {
  "humaneval-x-js": {
    title: "HumanEval-X JavaScript",
    file: "humaneval-x/humaneval_js.jsonl.gz",
    tests: ["base"],
  },
  humaneval: { title: "HumanEval", file: "humaneval/HumanEval.jsonl.gz", tests: ["base", "plus"] },
  "mbpp-plus": { title: "MBPP+", file: "mbpp-plus/MbppPlus-OriginFmt.jsonl.gz", tests: ["base", "plus"] },
} as const satisfies Readonly<Record<string, Benchmark>>;
export type BenchmarkName = keyof typeof BENCHMARKS;

/** Most tokens of a completion: a text that has not ended by then repeats itself. */
export const MAX_TOKENS = 512;

/** A way of decoding: plain JSON. What is left out is the paper's: one group, constant strength, padding in place of words. */
export interface Way {
  /** asks through the model's chat template; without it, the prompt is continued */
  readonly form?: "chat";
  /** 1 (the plain model) by default */
  readonly strength?: number;
  readonly standIn?: "mean" | "zeros" | "space";
  readonly collapse?: true;
  readonly grouping?: "sentences";
  readonly schedule?: Exclude<NonNullable<AnchoringOptions["schedule"]>, "constant">;
  readonly byNeglect?: true;
  /** holds spans drawn at random in place of the description: see {@link shiftedAnchors} */
  readonly spans?: "random";
  readonly temperature?: number;
  /** as `parsePolicy` reads it; the model's own cache by default */
  readonly cache?: string;
}

/** The name of a way, which its file has: `plain`, `spa-1.25-mean`. */
export function nameOf(way: Way): string {
  const { form, strength = 1, standIn, collapse, grouping, schedule, byNeglect, spans, temperature, cache } = way;
  const parts = [
    strength === 1 ? "plain" : `spa-${strength}`,
    form,
    standIn,
    collapse ? "collapsed" : undefined,
    grouping,
    schedule,
    byNeglect ? "by-neglect" : undefined,
    spans === undefined ? undefined : `${spans}-spans`,
    temperature === undefined ? undefined : `temperature-${temperature}`,
    cache?.replaceAll(/[:,=]/g, "-").replaceAll("%", "pc"),
  ];
  return parts.filter((part) => part !== undefined).join("-");
}

/**
 * Which tasks of its benchmark a job completes: all; those that the strength is tuned on; the others; those whose plain text fails
 * the examples of its own prompt.
 */
export type Selection = "all" | "tuning" | "held" | "failing";

/** One piece of the work: a way of decoding, on tasks of a benchmark. */
export interface Job {
  readonly benchmark: BenchmarkName;
  readonly way: Way;
  readonly tasks: Selection;
}

/** A piece of the work whose ways of decoding depend on scores: the search for a strength. */
export interface Search {
  readonly benchmark: BenchmarkName;
  readonly search: "strength";
}

/** How a strength is searched: as `kedge tune` does with `--high 2 --step 0.25`. */
export const TUNING = { share: 0.18, seed: 0, low: 1, high: 2, step: 0.25, resolution: 0.125 } as const;

/** The strengths above 1 that every search scores. */
export const TUNING_GRID: readonly number[] = [1.25, 1.5, 1.75, 2];

/** A piece of the work that judges no texts: see measurements.ts. */
export interface Measurement {
  readonly benchmark: BenchmarkName;
  readonly measure: "dilution" | "perplexity";
}

/** The strength of what is not tuned: kedge's default, so that nothing was fitted to these tasks. */
export const STRENGTH = DEFAULT_STRENGTH;

/** The plain model as its makers measured it. */
export const CHAT: Way = { form: "chat" };

/** The plain model's second try: what twice the price brings without anchors. */
export const SECOND_TRY: Way = { temperature: 0.4 };
/** Anchoring whose only wrong is where it holds on. */
export const RANDOM_SPANS: Way = { strength: STRENGTH, spans: "random" };

/** What a user may choose between, each at one strength on the same tasks. */
export const VARIANTS: readonly { readonly name: string; readonly way: Way }[] = [
  { name: "padding token, in place, one group, constant (the paper's)", way: {} },
  { name: "mean embedding", way: { standIn: "mean" } },
  { name: "zeros", way: { standIn: "zeros" } },
  { name: "a space", way: { standIn: "space" } },
  { name: "spans collapsed to one token", way: { collapse: true } },
  { name: "a group a sentence", way: { grouping: "sentences" } },
  { name: "schedule: probability", way: { schedule: "probability" } },
  { name: "schedule: growing", way: { schedule: "growing" } },
  { name: "schedule: confidence", way: { schedule: "confidence" } },
  { name: "`byNeglect`", way: { byNeglect: true } },
].map(({ name, way }) => ({ name, way: { strength: STRENGTH, ...way } as Way }));

/**
 * The policies at about 40 % and 20 % of the dense bytes, which are measured. A share is of the prompt's keys. snap-kv keeps all that is written
 * too, and does not come down to 20 % here; line anchors have no budget.
 */
export const POLICIES: readonly { readonly name: string; readonly cache: string }[] = [
  { name: "window", cache: "window:57%" },
  { name: "window", cache: "window:28%" },
  { name: "sinks", cache: "sinks:57%" },
  { name: "sinks", cache: "sinks:28%" },
  { name: "heavy-hitters", cache: "heavy-hitters:57%" },
  { name: "heavy-hitters", cache: "heavy-hitters:28%" },
  { name: "last-query", cache: "last-query:57%" },
  { name: "last-query", cache: "last-query:28%" },
  { name: "snap-kv", cache: "snap-kv:14%,window=8" },
  { name: "line anchors", cache: "anchors" },
  { name: "line anchors", cache: "anchors:recent=4" },
];

/** The policies whose perplexity is measured, on one text: those above with as many keys as take 40 % and 20 % of its dense bytes. */
export const PERPLEXITIES: readonly string[] = [
  "full",
  ...["window", "sinks", "heavy-hitters", "last-query", "snap-kv"].flatMap((name) => [`${name}:320`, `${name}:160`]),
  "anchors",
  "anchors:recent=4",
];

const ALL: readonly BenchmarkName[] = ["humaneval-x-js", "humaneval", "mbpp-plus"];
const WITHOUT_MBPP: readonly BenchmarkName[] = ["humaneval-x-js", "humaneval"];

/** The second tries of the tasks whose plain text fails its examples: SPA, and what it has to be told from. */
function afterFailedExamples(benchmark: BenchmarkName): Job[] {
  return [{ strength: STRENGTH }, SECOND_TRY, RANDOM_SPANS].map((way) => ({ benchmark, way, tasks: "failing" }));
}

/** A piece of the work. */
export type Piece = Job | Search | Measurement;

/** All pieces of the work, most telling and cheapest first; in this order they are done as far as what they depend on is there. */
export const WORK: readonly Piece[] = [
  ...WITHOUT_MBPP.map((benchmark): Job => ({ benchmark, way: {}, tasks: "all" })),
  { benchmark: "humaneval-x-js", measure: "dilution" },
  { benchmark: "humaneval-x-js", measure: "perplexity" },
  ...afterFailedExamples("humaneval-x-js"),
  { benchmark: "humaneval", way: CHAT, tasks: "all" },
  { benchmark: "mbpp-plus", way: {}, tasks: "all" },
  ...WITHOUT_MBPP.map((benchmark): Job => ({ benchmark, way: { strength: STRENGTH }, tasks: "all" })),
  ...ALL.map((benchmark): Search => ({ benchmark, search: "strength" })),
  ...(["humaneval", "mbpp-plus"] as const).flatMap(afterFailedExamples),
  { benchmark: "mbpp-plus", way: CHAT, tasks: "all" },
  ...POLICIES.map(({ cache }): Job => ({ benchmark: "humaneval-x-js", way: { cache }, tasks: "all" })),
  ...VARIANTS.map(({ way }): Job => ({ benchmark: "humaneval", way, tasks: "all" })),
];

/** The numbers of a benchmark's tasks to tune on, and of the others: the same for the same number of tasks, as in `kedge tune`. */
export function tuningSplit(tasks: number): { readonly tuning: readonly number[]; readonly held: readonly number[] } {
  return splitTasks(tasks, TUNING.share, TUNING.seed);
}

/** A task as a way of decoding is given it. */
export function taskFor(task: Task, { form, spans }: Way): Task {
  const given = spans === "random" ? shiftedAnchors(task) : task;
  return form === "chat" ? askedTask(given) : given;
}

/**
 * A task whose anchors are shifted round its prompt by a distance drawn at random, the same one each time: as many characters in spans of the
 * same lengths, elsewhere. What runs over the end goes on at the beginning.
 */
export function shiftedAnchors(task: Task): Task {
  const { prompt, anchors, id } = task;
  const drawn = createHash("sha256").update(id).digest().readUInt32LE(0) / 2 ** 32;
  const distance = 1 + Math.floor(drawn * (prompt.length - 1));
  const shifted = anchors.flatMap(({ begin, end }): TextRange[] => {
    const [from, to] = [begin + distance, end + distance];
    if (from >= prompt.length) return [{ begin: from - prompt.length, end: to - prompt.length }];
    if (to <= prompt.length) return [{ begin: from, end: to }];
    return [
      { begin: from, end: prompt.length },
      { begin: 0, end: to - prompt.length },
    ];
  });
  return { ...task, anchors: shifted.toSorted((a, b) => a.begin - b.begin) };
}
