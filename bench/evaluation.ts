// `npm run bench evaluation [-- MODEL_DIR TASKS]`: tokens/s of `kedge eval`, which judges what it decodes and gives the rows of tasks that
// end to others, as a share of plain batched decoding of the same size: the same prompts, as many rows, texts of the evaluation's mean length, all
// rows full up to the end of each batch, nothing judged. Each has a process of its own in each round, one after the other.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { collect, loadModel } from "kedge";
import type { DeviceName } from "kedge/devices";
import { isQuantized } from "kedge/kernels";
import { spreadOf, type Spread } from "kedge/timing";
import { sentenceOf } from "./standard-output.ts";

const USAGE = `usage: npm run bench evaluation [-- MODEL_DIR TASKS.jsonl --device wasm --quantize int8 --rows 16 --limit 128 --max-tokens 256 --anchoring 1,1.25 --rounds 3 --json]`;
const SHIPPED = ["models/kedge-js-5m", "models/kedge-js-5m/eval-long.jsonl"] as const;
/** Least throughput of an evaluation, as a share of plain batched decoding's. */
const GOAL = 0.8;

const OPTIONS = {
  device: { type: "string", default: "wasm" },
  quantize: { type: "string" },
  rows: { type: "string", default: "16" },
  limit: { type: "string", default: "128" },
  "max-tokens": { type: "string", default: "256" },
  anchoring: { type: "string", default: "1" },
  rounds: { type: "string", default: "3" },
  json: { type: "boolean", default: false },
  /** tokens of each text: decodes plainly, in this process, and prints tokens/s */
  plain: { type: "string" },
} as const;

interface Settings {
  readonly folder: string;
  readonly tasks: string;
  readonly values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];
  readonly rows: number;
  readonly limit: number;
  readonly rounds: number;
}

/** Tokens and the seconds that they took. */
interface Written {
  readonly tokens: number;
  readonly seconds: number;
}

function settingsOf(args: readonly string[]): Settings {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  const [folder, tasks, ...more] = positionals.length === 0 ? SHIPPED : positionals;
  const [rows, limit, rounds] = [values.rows, values.limit, values.rounds].map(Number) as [number, number, number];
  const areWhole = [rows, limit, rounds].every((value) => Number.isInteger(value) && value >= 1);
  if (folder === undefined || tasks === undefined || more.length > 0 || !areWhole) throw new RangeError(USAGE);
  if (values.quantize !== undefined && !isQuantized(values.quantize)) throw new RangeError(USAGE);
  return { folder, tasks, values, rows, limit, rounds };
}

/** Measures and prints; a failure is a sentence on stderr and an exit code. */
export async function benchEvaluation(args: readonly string[]): Promise<void> {
  try {
    const settings = settingsOf(args);
    if (settings.values.plain !== undefined) console.log(JSON.stringify(await decodePlainly(settings)));
    else await compare(settings, args);
  } catch (error) {
    console.error(`bench: ${sentenceOf(error)}`);
    process.exitCode = 1;
  }
}

async function compare(settings: Settings, args: readonly string[]): Promise<void> {
  const { folder, tasks, values, rows, limit, rounds } = settings;
  const strengths = values.anchoring.split(",");
  const evaluated: number[] = [];
  const plain: number[] = [];
  let textTokens = 0;
  for (let round = 0; round < rounds; round++) {
    const written = await evaluate(settings, strengths);
    // of all rounds alike, since greedy texts are
    textTokens = Math.max(2, Math.round(written.tokens / (limit * strengths.length)));
    evaluated.push(written.tokens / written.seconds);
    const { tokens, seconds } = await run<Written>("bench.js", "evaluation", ...args, "--plain", String(textTokens));
    plain.push(tokens / seconds);
  }
  const ratio = spreadOf(evaluated.map((rate, round) => rate / plain[round]!));
  const title = `${basename(resolve(folder))} on ${basename(tasks)}, ${values.device}: ${limit} tasks${strengths.length > 1 ? ` in ${strengths.length} ways` : ""}, ${rows} rows, texts of ${textTokens} tokens on average, ${rounds} ${rounds === 1 ? "round" : "rounds"}`;
  const report = { title, plain: spreadOf(plain), evaluation: spreadOf(evaluated), ratio, goal: GOAL };
  console.log(values.json ? JSON.stringify(report, null, 2) : linesOf(report).join("\n"));
}

function linesOf(report: {
  readonly title: string;
  readonly plain: Spread;
  readonly evaluation: Spread;
  readonly ratio: Spread;
}): string[] {
  const { median, least, most } = report.ratio;
  return [
    report.title,
    "",
    "| | tokens/s, median (least–most) |",
    "| --- | ---: |",
    rowOf("plain batches", report.plain),
    rowOf("kedge eval", report.evaluation),
    "",
    `The evaluation reaches ${median.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)}) of plain batches; the goal is ${GOAL}: ${median >= GOAL ? "met" : "missed"}.`,
  ];
}

function rowOf(name: string, { median, least, most }: Spread): string {
  return `| ${name} | ${median.toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)}) |`;
}

/** Runs a script of dist/ and reads what it prints. */
async function run<T>(script: string, ...args: readonly string[]): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [path, ...args], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as T;
}

/** An evaluation; its own clock begins when the model is loaded. */
async function evaluate(
  { folder, tasks, values, rows, limit }: Settings,
  strengths: readonly string[],
): Promise<Written> {
  const { rows: ways } = await run<{ readonly rows: readonly Written[] }>(
    "cli.js",
    ...["eval", folder, tasks, "--device", values.device, "--json"],
    ...["--batch", String(rows), "--limit", String(limit), "--max-tokens", values["max-tokens"]],
    ...(values.quantize === undefined ? [] : ["--quantize", values.quantize]),
    ...strengths.flatMap((strength) => ["--anchoring", strength]),
  );
  return { tokens: ways.reduce((sum, way) => sum + way.tokens, 0), seconds: ways[0]!.seconds };
}

/** The prompts in full batches, each text of the same length. */
async function decodePlainly({ folder, tasks, values, rows, limit }: Settings): Promise<Written> {
  const quantize = isQuantized(values.quantize ?? "") ? (values.quantize as "int8" | "int4") : undefined;
  const model = await loadModel(folder, { device: values.device as DeviceName, ...(quantize && { quantize }) });
  const bytes = readFileSync(tasks);
  const lines = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString("utf8").trim().split("\n").slice(0, limit);
  const prompts = lines.map((text) => (JSON.parse(text) as { readonly prompt?: string }).prompt ?? "");
  if (prompts.includes("")) throw new RangeError(`${tasks} has a task without a prompt: name tasks with one`);
  const maxTokens = Number(values.plain);
  try {
    const begin = performance.now();
    for (let from = 0; from < prompts.length; from += rows) {
      await collect(model.generateBatch(prompts.slice(from, from + rows), { maxTokens, ignoreEndTokens: true }));
    }
    return { tokens: prompts.length * maxTokens, seconds: (performance.now() - begin) / 1000 };
  } finally {
    await model.dispose();
  }
}
