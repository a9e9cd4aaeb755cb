// `npm run bench waits [-- CASE … --rounds 5 --json]`: how long other work of the thread waits while kedge opens large files and cuts long
// texts into tokens. Each round of a case has a process of its own, so that no case finds the heap of another. The waits are those of
// Node's own meter, garbage collection included.

import { fork } from "node:child_process";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { spreadOf, type Spread } from "kedge/timing";
import { sentenceOf } from "./standard-output.ts";
import { WAIT_CASES } from "./wait-cases.ts";

const USAGE = "usage: npm run bench waits [-- CASE … --rounds 5 --json]";
/** Most milliseconds that other work may wait. */
const GOAL_MS = 50;

/** What one round of a case showed, in milliseconds. */
interface Waits {
  readonly wall: number;
  /** the longest wait of other work, and the one that 99 % are below */
  readonly longest: number;
  readonly p99: number;
  /** processor time of all threads, of the whole and of the longest stretch without a pause */
  readonly cpu: number;
  readonly stretch: number;
}

/** Milliseconds of processor time since some moment, of all threads of this process. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Measures the processor time between two pauses: on a busy machine it says what the clock cannot. */
class Stretches {
  longest = 0;
  #last = cpuTime();
  #isRunning = true;

  constructor() {
    const look = (): void => {
      const now = cpuTime();
      this.longest = Math.max(this.longest, now - this.#last);
      this.#last = now;
      if (this.#isRunning) setImmediate(look);
    };
    setImmediate(look);
  }

  stop(): void {
    this.#isRunning = false;
  }
}

async function measure(name: string): Promise<Waits> {
  const run = await WAIT_CASES[name]!.prepare();
  // What preparing left behind is collected before, where `--expose-gc` allows.
  (globalThis as { gc?: () => void }).gc?.();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const meter = monitorEventLoopDelay({ resolution: 1 });
  meter.enable();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const stretches = new Stretches();
  const begin = performance.now();
  const cpuBegin = cpuTime();
  const result = await run();
  const wall = performance.now() - begin;
  const cpu = cpuTime() - cpuBegin;
  await new Promise((resolve) => setTimeout(resolve, 5));
  meter.disable();
  stretches.stop();
  if (result === undefined) throw new Error(`${name} made nothing`);
  return { wall, longest: meter.max / 1e6, p99: meter.percentile(99) / 1e6, cpu, stretch: stretches.longest };
}

function inProcess(name: string): Promise<Waits> {
  return new Promise((accept, reject) => {
    const execArgv = [...process.execArgv, "--expose-gc", "--max-old-space-size=8192"];
    const child = fork(fileURLToPath(import.meta.url), ["waits", "--alone", name], { execArgv });
    child.once("message", (waits) => accept(waits as Waits));
    child.once("exit", (code) => reject(new Error(`${name}: the process ended with ${code} before its report`)));
  });
}

const told = ({ median, least, most }: Spread): string =>
  `${median.toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)})`;

/** Measures waits and prints a table. */
export async function benchWaits(args: readonly string[]): Promise<void> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "5" },
        alone: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.alone !== undefined) {
      const waits = await measure(values.alone);
      process.send?.(waits);
      return;
    }
    const rounds = Number(values.rounds);
    const unknown = positionals.find((name) => !Object.hasOwn(WAIT_CASES, name));
    if (unknown !== undefined || values.help || !(Number.isInteger(rounds) && rounds > 0)) {
      if (unknown !== undefined) console.error(`bench: there is no case "${unknown}"`);
      console.log(USAGE);
      for (const [name, { what }] of Object.entries(WAIT_CASES)) console.log(`  ${name.padEnd(18)} ${what}`);
      process.exitCode = values.help ? 0 : 2;
      return;
    }
    const names = positionals.length > 0 ? positionals : Object.keys(WAIT_CASES);
    const all = new Map<string, Waits[]>(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of names) all.get(name)!.push(await inProcess(name));
    }
    const rows = [...all].map(([name, waits]) => ({
      name,
      what: WAIT_CASES[name]!.what,
      wall: spreadOf(waits.map(({ wall }) => wall)),
      longest: spreadOf(waits.map(({ longest }) => longest)),
      p99: spreadOf(waits.map(({ p99 }) => p99)),
      cpu: spreadOf(waits.map(({ cpu }) => cpu)),
      stretch: spreadOf(waits.map(({ stretch }) => stretch)),
    }));
    if (values.json) return console.log(JSON.stringify({ node: process.version, rounds, rows }));
    console.log(`${rounds} rounds, ms, median (least–most); no wait is to be longer than ${GOAL_MS} ms\n`);
    console.log("| work | whole | longest wait | 99 % of waits below | processor time | of the longest stretch |");
    console.log("| --- | --- | --- | --- | --- | --- |");
    for (const { what, wall, longest, p99, cpu, stretch } of rows) {
      console.log(`| ${[what, ...[wall, longest, p99, cpu, stretch].map(told)].join(" | ")} |`);
    }
  } catch (error) {
    console.error(`bench: ${sentenceOf(error)}`);
    process.exitCode = 1;
  }
}
