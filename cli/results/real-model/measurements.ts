// What is measured on the model itself, without texts of its own being judged: the prompt's share of attention over what is written,
// and perplexity under cache policies. Each has a file, a line a task or a policy, and goes on where it ended.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "kedge";
import { studyAttention } from "kedge/attention";
import { parsePolicy } from "kedge/policies";
import { openLines, readLines, type LineKind } from "../../evaluation/lines-file.ts";
import { PERPLEXITIES } from "./plan.ts";
import type { Study } from "./study.ts";

/** Tokens after the prompt over which dilution is measured, on the tasks whose plain text has as many. */
export const DILUTION_TOKENS = 80;
/** Tokens of the text whose perplexity is measured. */
export const PERPLEXITY_TOKENS = 1536;
/** How many of them count as the prompt, at whose end the policies that choose by attention begin. */
const PERPLEXITY_PROMPT = 256;

/** The prompt's share of attention when each token after it was chosen: of one task, [DILUTION_TOKENS + 1]. */
export interface Dilution {
  readonly id: string;
  /** tokens of the prompt */
  readonly promptTokens: number;
  readonly shares: readonly number[];
}

/** Perplexity under a policy, and the bytes that it kept and that a cache which drops nothing would, means over the steps. */
export interface Perplexity {
  /** the policy, as `parsePolicy` reads it */
  readonly id: string;
  readonly perplexity: number;
  readonly kept: number;
  readonly dense: number;
}

const dilutionKind: LineKind<Dilution> = {
  field: "kedgeDilution",
  version: 1,
  fileName: "a file of dilution",
  lineName: "the dilution of a task",
  read({ id, promptTokens, shares }) {
    if (typeof id !== "string" || typeof promptTokens !== "number" || !Array.isArray(shares)) return undefined;
    return shares.every((share) => typeof share === "number") ? { id, promptTokens, shares } : undefined;
  },
  write: ({ id, promptTokens, shares }) => ({ id, promptTokens, shares }),
};

const perplexityKind: LineKind<Perplexity> = {
  field: "kedgePerplexity",
  version: 1,
  fileName: "a file of perplexities",
  lineName: "the perplexity under a policy",
  read({ id, perplexity, kept, dense }) {
    if (typeof id !== "string" || typeof perplexity !== "number") return undefined;
    return typeof kept === "number" && typeof dense === "number" ? { id, perplexity, kept, dense } : undefined;
  },
  write: (line) => ({ ...line }),
};

/** Where a measurement is made. */
export interface MeasurementOptions {
  readonly study: Pick<Study, "tasks" | "completions">;
  /** the folder of the store */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

const pathOf = (folder: string, name: string): string => join(folder, `humaneval-x-js_${name}.jsonl`);
const PLAIN = { benchmark: "humaneval-x-js", way: {}, tasks: "all" } as const;

/** The tasks whose plain text is long enough, and that text. Throws `Missing` where plain texts are missing. */
async function longTexts({ study }: MeasurementOptions) {
  const [tasks, completions] = [await study.tasks("humaneval-x-js"), await study.completions(PLAIN)];
  return tasks
    .map(({ task }, index) => ({ task, completion: completions[index]! }))
    .filter(({ completion }) => completion.tokens >= DILUTION_TOKENS);
}

/** Whether dilution is measured. Throws `Missing` where plain texts are missing. */
export async function isDilutionDone(options: MeasurementOptions): Promise<boolean> {
  const done = new Set(readDilution(options.folder).map(({ id }) => id));
  return (await longTexts(options)).every(({ task }) => done.has(task.id));
}

/** Measures dilution on the texts that have not been measured. */
export async function measureDilution(model: Model, digest: string, options: MeasurementOptions): Promise<void> {
  const texts = await longTexts(options);
  const file = openLines(dilutionKind, pathOf(options.folder, "dilution"), settingsOf(model, digest), true);
  try {
    const done = new Set(file.done.map(({ id }) => id));
    for (const { task, completion } of texts) {
      if (done.has(task.id)) continue;
      const prompt = model.tokenize(task.prompt);
      const text = model.tokenizer!.encode(completion.text, { addSpecialTokens: false }).slice(0, DILUTION_TOKENS);
      const { dilution } = await studyAttention(model, [...prompt, ...text], {
        promptLength: prompt.length,
        signal: options.signal,
      });
      const shares = dilution.map((share) => Number(share.toFixed(4)));
      file.append({ id: task.id, promptTokens: prompt.length, shares });
    }
  } finally {
    file.close();
  }
}

/** Whether all perplexities are measured. */
export function arePerplexitiesDone({ folder }: MeasurementOptions): boolean {
  const done = new Set(readPerplexities(folder).map(({ id }) => id));
  return PERPLEXITIES.every((cache) => done.has(cache));
}

/** Measures the perplexities that have not been. */
export async function measurePerplexities(model: Model, digest: string, options: MeasurementOptions): Promise<void> {
  const tasks = await options.study.tasks("humaneval-x-js");
  const text = tasks.map(({ task }) => task.prompt + task.canonicalSolution).join("\n");
  const tokens = model.tokenize(text).slice(0, PERPLEXITY_TOKENS);
  const file = openLines(perplexityKind, pathOf(options.folder, "perplexity"), settingsOf(model, digest), true);
  try {
    const done = new Set(file.done.map(({ id }) => id));
    for (const cache of PERPLEXITIES) {
      if (done.has(cache)) continue;
      model.resetCacheStatistics();
      const promptLength = Math.min(PERPLEXITY_PROMPT, tokens.length - 1);
      const { perplexity } = await model.score(tokens, {
        cache: parsePolicy(cache),
        promptLength,
        signal: options.signal,
      });
      const { mean, denseMean } = model.cacheStatistics();
      file.append({ id: cache, perplexity, kept: Math.round(mean), dense: Math.round(denseMean) });
    }
  } finally {
    file.close();
  }
}

function settingsOf({ quantized, cacheType, device }: Model, digest: string) {
  return { digest, weights: quantized ?? "as stored", cacheType, device: device.name };
}

/** What is measured of dilution so far. */
export function readDilution(folder: string): readonly Dilution[] {
  const path = pathOf(folder, "dilution");
  return existsSync(path) ? readLines(dilutionKind, path).done : [];
}

/** What is measured of perplexity so far. */
export function readPerplexities(folder: string): readonly Perplexity[] {
  const path = pathOf(folder, "perplexity");
  return existsSync(path) ? readLines(perplexityKind, path).done : [];
}
