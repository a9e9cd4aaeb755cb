// `npm run bench sessions [-- MODEL_DIR …]`: tokens/s of several sessions at once beside the batch of the same prompts, the batch whose rows are
// filled again, and one session alone. Sessions have nothing to do with one another; the scheduler makes one batch of them.

import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { collect, loadModel, type Model } from "kedge";
import type { DeviceName } from "kedge/devices";
import { spreadOf, type Spread } from "kedge/timing";
import { sentenceOf } from "./standard-output.ts";

const USAGE = `usage: npm run bench sessions [-- MODEL_DIR … --device wasm --count 8 --rounds 5 --tokens 64 --json]`;
const SHIPPED = "models/kedge-js-5m";
const PROMPT_TOKENS = 64;
/** Least throughput of sessions, as a share of the batch's. */
const GOAL = 0.9;

/** One way of decoding the same prompts. */
interface Way {
  readonly name: string;
  readonly tokensPerSecond: Spread;
  /** over the batch's, round by round */
  readonly ratio: Spread;
}

function waysOf(model: Model, sessions: number, maxTokens: number): Readonly<Record<string, () => Promise<number>>> {
  const { vocabSize } = model.config;
  const prompts = Array.from({ length: sessions }, (_, session) =>
    Array.from({ length: PROMPT_TOKENS }, (__, i) => (i * 7919 + session * 101 + 13) % vocabSize),
  );
  const options = { maxTokens, ignoreEndTokens: true };
  const all = sessions * maxTokens;
  return {
    "one batch": async () => {
      await collect(model.generateBatch(prompts, options));
      return all;
    },
    "sessions at once": async () => {
      await Promise.all(prompts.map((prompt) => model.complete(prompt, options)));
      return all;
    },
    "a batch filled again": async () => {
      await collect(model.generateBatch([...prompts, ...prompts], { ...options, rows: sessions }));
      return 2 * all;
    },
    "one session": async () => {
      await model.complete(prompts[0]!, options);
      return maxTokens;
    },
  };
}

async function measure(model: Model, sessions: number, tokens: number, rounds: number): Promise<Way[]> {
  const ways = Object.entries(waysOf(model, sessions, tokens));
  const rates = ways.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, [, decode]] of ways.entries()) {
      const begin = performance.now();
      const written = await decode();
      if (round >= 0) rates[i]!.push((written * 1000) / (performance.now() - begin));
    }
  }
  return ways.map(([name], i) => ({
    name,
    tokensPerSecond: spreadOf(rates[i]!),
    ratio: spreadOf(rates[i]!.map((rate, round) => rate / rates[0]![round]!)),
  }));
}

/** Measures and prints; a failure is a sentence on stderr and an exit code. */
export async function benchSessions(args: readonly string[]): Promise<void> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        device: { type: "string", default: "wasm" },
        count: { type: "string", default: "8" },
        rounds: { type: "string", default: "5" },
        tokens: { type: "string", default: "64" },
        json: { type: "boolean", default: false },
      },
    });
    const [count, rounds, tokens] = [values.count, values.rounds, values.tokens].map(Number) as [
      number,
      number,
      number,
    ];
    if (![count, rounds, tokens].every((value) => Number.isInteger(value) && value >= 1)) throw new RangeError(USAGE);
    for (const folder of positionals.length > 0 ? positionals : [SHIPPED]) {
      const model = await loadModel(folder, { device: values.device as DeviceName });
      try {
        const ways = await measure(model, count, tokens, rounds);
        const title = `${basename(resolve(folder))} on ${model.device.description}: ${count} sessions of ${PROMPT_TOKENS} + ${tokens} tokens, ${rounds} rounds`;
        if (values.json) console.log(JSON.stringify({ title, ways }, null, 2));
        else console.log([title, "", ...linesOf(ways), ""].join("\n"));
      } finally {
        await model.dispose();
      }
    }
  } catch (error) {
    console.error(`bench: ${sentenceOf(error)}`);
    process.exitCode = 1;
  }
}

function linesOf(ways: readonly Way[]): string[] {
  const share = ways.find(({ name }) => name === "sessions at once")!.ratio.median;
  return [
    "| | tokens/s, median (least–most) | over one batch |",
    "| --- | ---: | ---: |",
    ...ways.map(({ name, tokensPerSecond: { median, least, most }, ratio }) => {
      const rate = `${median.toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)})`;
      return `| ${name} | ${rate} | ${ratio.median.toFixed(2)} |`;
    }),
    "",
    `Sessions reach ${share.toFixed(2)} of the batch; the goal is ${GOAL}: ${share >= GOAL ? "met" : "missed"}.`,
  ];
}
