// `npm run bench -- cost [MODEL_DIR …]`: what anchors cost. Of each model and device: the time per token of Selective Prompt
// Anchoring beside the plain model's; and, as the text grows, the time per token and the bytes of a cache that keeps everything
// beside one that keeps anchors. What is compared is interleaved in one process; figures are medians with their spread.
//
// Prompts are arbitrary tokens with a line break after each 12: what they say does not change how long they take.

import { spreadOf, type Spread } from "kedge/timing";
import { existsSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  collect,
  loadModel,
  policies,
  type PromptAnchor,
  type CachePolicy,
  type Model,
  type ModelGenerateOptions,
  type Piece,
} from "kedge";
import { chooseDevice, type DeviceName } from "kedge/devices";
import manifest from "../package.json" with { type: "json" };
import { sentenceOf } from "./standard-output.ts";

const USAGE =
  "usage: npm run bench -- cost [MODEL_DIR … --device wasm,webgpu --rounds 5 --tokens 32 --contexts 256,1024,4096,8192 --clock wall|processor --json]";
const SHIPPED = "models/kedge-js-5m";
const DEVICES: readonly string[] = ["wasm", "webgpu", "reference"] satisfies readonly DeviceName[];
/** Tokens of a line in the prompts, its break among them. */
const LINE_TOKENS = 12;
const PROMPT_TOKENS = 64;
/** What one group more may cost, as a share of the plain model's time per token. */
const GOAL = 1.15;

interface CostOptions {
  readonly folders: readonly string[];
  readonly devices: readonly DeviceName[];
  readonly rounds: number;
  readonly tokens: number;
  readonly contexts: readonly number[];
  readonly clock: Clock;
  readonly isJson: boolean;
}

/** Milliseconds per token of one way of decoding. */
interface AnchoringCost {
  readonly name: string;
  readonly milliseconds: Spread;
  /** over the plain model's, round by round */
  readonly ratio: Spread;
}

/** One policy at one length of text. */
interface ContextCost {
  readonly context: number;
  readonly policy: string;
  readonly milliseconds: Spread;
  readonly prefillSeconds: number;
  /** of keys and values after the prompt, exact */
  readonly cacheBytes: number;
}

/** What was measured of one model on one device. */
interface Cost {
  readonly model: string;
  readonly device: string;
  readonly description: string;
  readonly contextLength: number;
  readonly weightBytes: number;
  readonly anchoring: readonly AnchoringCost[];
  readonly contexts: readonly ContextCost[];
  /** lengths that the model cannot hold */
  readonly leftOut: readonly number[];
}

class UsageError extends Error {}

/** What time is: that of the clock on the wall, or what the process takes of its processor with one thread, whoever else runs. */
type Clock = "wall" | "processor";

/** Milliseconds of each clock. */
const NOW: Readonly<Record<Clock, () => number>> = {
  wall: () => performance.now(),
  processor: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`--${name} is "${text}": it must be a whole number of at least ${least}`);
}

async function readOptions(args: readonly string[]): Promise<CostOptions | null> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      device: { type: "string" },
      rounds: { type: "string", default: "5" },
      tokens: { type: "string", default: "32" },
      contexts: { type: "string", default: "256,1024,4096,8192" },
      clock: { type: "string", default: "wall" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const folders = [SHIPPED, ...positionals.filter((folder) => resolve(folder) !== resolve(SHIPPED))];
  const missing = folders.find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new UsageError(`there is no folder ${missing}`);
  const devices = values.device?.split(",");
  const unknown = devices?.find((name) => !DEVICES.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no device "${unknown}": use ${DEVICES.join(", ")}`);
  const { clock } = values;
  if (clock !== "wall" && clock !== "processor") {
    throw new UsageError(`--clock is "${clock}": it must be wall or processor`);
  }
  const rounds = wholeNumber("rounds", values.rounds, 1);
  const tokens = wholeNumber("tokens", values.tokens, 2);
  // The text that is timed is the last of a context.
  const least = rounds * BLOCK_TOKENS + 2;
  return {
    folders,
    devices: (devices as readonly DeviceName[] | undefined) ?? [
      "wasm",
      ...((await chooseDevice()).name === "webgpu" ? (["webgpu"] as const) : []),
    ],
    rounds,
    tokens,
    contexts: values.contexts.split(",").map((text) => wholeNumber("contexts", text, least)),
    clock,
    isJson: values.json,
  };
}

/** Arbitrary tokens, but for the line breaks. */
function linesOfTokens(model: Model, count: number): number[] {
  if (!model.tokenizer) throw new UsageError("cost needs models with a tokenizer: lines end with its line break");
  const lineBreak = model.tokenizer.encode("\n", { addSpecialTokens: false }).at(-1)!;
  const { vocabSize } = model.config;
  const others = Array.from({ length: vocabSize }, (_, token) => token).filter(
    (token) => token >= 16 && !model.tokenizer!.decode([token]).includes("\n"),
  );
  return Array.from({ length: count }, (_, i) =>
    i % LINE_TOKENS === LINE_TOKENS - 1 ? lineBreak : others[(i * 7919 + 13) % others.length]!,
  );
}

/** Milliseconds per token after the first. */
async function decodeTime(model: Model, options: ModelGenerateOptions, tokens: number, clock: Clock): Promise<number> {
  const times: number[] = [];
  const stopWhen = (): boolean => {
    times.push(NOW[clock]());
    return false;
  };
  const prompt = linesOfTokens(model, PROMPT_TOKENS);
  await collect(model.generate(prompt, { ...options, maxTokens: tokens, ignoreEndTokens: true, stopWhen }));
  // Rows of one step are accepted together: only steps count.
  return (times.at(-1)! - times[0]!) / (tokens - 1);
}

/** Holds these; what stands in for them changes no time. */
function anchored(...anchors: readonly PromptAnchor[]): ModelGenerateOptions {
  return { anchoring: { strength: 1.25, anchors, standIn: { kind: "token", token: 0 } } };
}

/** Selective Prompt Anchoring beside the plain model, and beside what its rows cost without it. */
async function anchoringCosts(model: Model, { rounds, tokens, clock }: CostOptions): Promise<AnchoringCost[]> {
  const half = { begin: 16, end: 24 };
  const rest = { begin: 24, end: 32 };
  const kinds: readonly (readonly [string, ModelGenerateOptions])[] = [
    ["plain", {}],
    ["two plain rows", { samples: 2 }],
    ["SPA, 1 group", anchored({ tokens: { begin: half.begin, end: rest.end } })],
    ["three plain rows", { samples: 3 }],
    ["SPA, 2 groups", anchored({ tokens: half, group: "first" }, { tokens: rest, group: "second" })],
  ];
  for (const [, options] of kinds) await decodeTime(model, options, 4, clock);
  const times = kinds.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [kind, [, options]] of kinds.entries())
      times[kind]!.push(await decodeTime(model, options, tokens, clock));
  }
  return kinds.map(([name], kind) => ({
    name,
    milliseconds: spreadOf(times[kind]!),
    ratio: spreadOf(times[kind]!.map((time, round) => time / times[0]![round]!)),
  }));
}

/** Tokens timed at a time, before it is another policy's turn. */
const BLOCK_TOKENS = 8;

/** A text under way with a policy. */
interface Reading {
  readonly policy: string;
  readonly pieces: AsyncGenerator<Piece, void, undefined>;
  readonly prefillSeconds: number;
  readonly cacheBytes: number;
  readonly times: number[];
}

/** Reads a prompt, up to its first piece of new text. */
async function read(
  model: Model,
  policy: CachePolicy,
  prompt: readonly number[],
  { most, now }: { readonly most: number; readonly now: () => number },
): Promise<Reading> {
  const before = model.memory().cache.live;
  const begin = now();
  const pieces = model.generate(prompt, { cache: policy, maxTokens: most, ignoreEndTokens: true });
  await pieces.next();
  const prefillSeconds = (now() - begin) / 1000;
  const cacheBytes = model.memory().cache.live - before;
  return { policy: policy.name, pieces, prefillSeconds, cacheBytes, times: [] };
}

/** A cache that keeps everything beside one that keeps anchors, at the end of a text of `context` tokens. */
async function contextCosts(model: Model, context: number, { rounds, clock }: CostOptions): Promise<ContextCost[]> {
  const now = NOW[clock];
  const most = rounds * BLOCK_TOKENS + 1;
  const prompt = linesOfTokens(model, context - most);
  const readings: Reading[] = [];
  try {
    for (const policy of [policies.full(), policies.anchors()])
      readings.push(await read(model, policy, prompt, { most, now }));
    for (let round = 0; round < rounds; round++) {
      for (const { pieces, times } of readings) {
        const begin = now();
        let tokens = 0;
        while (tokens < BLOCK_TOKENS) {
          const { value } = await pieces.next();
          if (!value) break;
          tokens += value.tokens.length;
        }
        if (tokens > 0) times.push((now() - begin) / tokens);
      }
    }
  } finally {
    for (const { pieces } of readings) await pieces.return();
  }
  return readings.map(({ policy, times, pieces: _pieces, ...rest }) => ({
    ...{ context, policy, milliseconds: spreadOf(times) },
    ...rest,
  }));
}

async function costOf(folder: string, device: DeviceName, options: CostOptions): Promise<Cost> {
  const model = await loadModel(folder, { device, ...(options.clock === "processor" && { threads: 1 }) });
  try {
    return await costOfModel(model, basename(resolve(folder)), options);
  } finally {
    await model.dispose();
  }
}

async function costOfModel(model: Model, name: string, options: CostOptions): Promise<Cost> {
  const { contextLength, device } = model;
  const fitting = options.contexts.filter((context) => context <= contextLength);
  const anchoring = await anchoringCosts(model, options);
  const contexts: ContextCost[] = [];
  for (const context of fitting) contexts.push(...(await contextCosts(model, context, options)));
  return {
    model: name,
    device: device.name,
    description: device.description,
    contextLength,
    weightBytes: model.memory().weights,
    anchoring,
    contexts,
    leftOut: options.contexts.filter((context) => context > contextLength),
  };
}

function spreadText({ median, least, most }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)];
}

/** A measurement as Markdown. */
function sectionOf({ model, device, description, contextLength, weightBytes, ...measured }: Cost): string[] {
  const one = measured.anchoring.find(({ name }) => name === "SPA, 1 group")!.ratio.median;
  const lines = [
    `## ${model} on ${device}`,
    "",
    `${description}; ${(weightBytes / 1e6).toFixed(0)} MB of weights as stored; a context of ${contextLength} tokens.`,
    "",
    ...markdownTable(
      ["after a prompt of 64 tokens", "ms per token", "over plain"],
      measured.anchoring.map(({ name, milliseconds, ratio }) => [
        name,
        spreadText(milliseconds, 2),
        name === "plain" ? "1" : spreadText(ratio, 2),
      ]),
    ),
    "",
    `One group costs ${one.toFixed(2)}x; the goal is at most ${GOAL}x: ${one <= GOAL ? "met" : "missed"}.`,
  ];
  if (measured.contexts.length > 0) {
    const rows = measured.contexts.map(({ context, policy, milliseconds, prefillSeconds, cacheBytes }) => [
      String(context),
      policy,
      spreadText(milliseconds, 2),
      prefillSeconds.toFixed(2),
      (cacheBytes / 1e6).toFixed(2),
    ]);
    const head = ["tokens of context", "cache", "ms per token", "prefill s", "cache MB"];
    lines.push("", ...markdownTable(head, rows));
  }
  if (measured.leftOut.length > 0)
    lines.push(
      "",
      `Left out: ${measured.leftOut.join(", ")} tokens, beyond the ${contextLength} that this model holds.`,
    );
  return [...lines, ""];
}

async function measure(args: readonly string[]): Promise<void> {
  const options = await readOptions(args);
  if (!options) return console.log(USAGE);
  const costs: Cost[] = [];
  for (const folder of options.folders) {
    for (const device of options.devices) costs.push(await costOf(folder, device, options));
  }
  const machine = {
    kedge: manifest.version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
  if (options.isJson) return console.log(JSON.stringify({ machine, rounds: options.rounds, costs }, null, 2));
  const gigabytes = (machine.memoryBytes / 1e9).toFixed(0);
  console.log(`# What anchors cost\n`);
  console.log(
    `kedge ${machine.kedge}, node ${machine.node}, ${machine.platform}; ${machine.cpu}, ${machine.cores} cores, ${gigabytes} GB. ` +
      `${options.rounds} rounds, interleaved${options.clock === "processor" ? ", in time of the processor" : ""}; medians (least–most). Prompts have a line break after each ${LINE_TOKENS} tokens.\n`,
  );
  for (const measured of costs) console.log(sectionOf(measured).join("\n"));
}

/** Measures and prints; a failure is a sentence on stderr and an exit code, 2 for a wrong command line. */
export async function cost(args: readonly string[]): Promise<void> {
  try {
    await measure(args);
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
    console.error(`bench: ${sentenceOf(error)}`);
    if (isUsage) console.error(USAGE);
    process.exitCode = isUsage ? 2 : 1;
  }
}
