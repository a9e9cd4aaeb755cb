// `npm run bench [-- MODEL_DIR …]`: prefill and decode tokens/s of the shipped model and of any others, on every device at
// hand, and the most memory that each took. Each pair of model and device has a process of its own; rounds are interleaved
// over all of them, so that a machine that slows down slows all alike. `npm run bench cost`: see cost.ts; `npm run bench sessions`: see
// sessions.ts; `npm run bench waits`: see waits.ts; `npm run bench evaluation`: see evaluation.ts; `npm run bench kernels`, `check` and `compare`: see kernels/.

import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chooseDevice, type DeviceName } from "kedge/devices";
import { isQuantized, type QuantizedFormat } from "kedge/kernels";
import manifest from "../package.json" with { type: "json" };
import { commitOf } from "./commit.ts";
import { cost } from "./cost.ts";
import { benchEvaluation } from "./evaluation.ts";
import { benchKernels } from "./kernels/index.ts";
import { summary, table, type Measured } from "./report.ts";
import { benchSessions } from "./sessions.ts";
import { guardOutput, sentenceOf } from "./standard-output.ts";
import { benchWaits } from "./waits.ts";
import { work, type Assignment, type Loaded, type Report, type Round } from "./worker.ts";

const USAGE = `usage: npm run bench [-- MODEL_DIR … --device wasm,webgpu --rounds 5 --prompt-tokens 256 --tokens 64 --quantize int8 --json]`;
const SHIPPED = "models/kedge-js-5m";
const DEVICES: readonly string[] = ["wasm", "webgpu", "reference"] satisfies readonly DeviceName[];

/** A wrong command line. */
class UsageError extends Error {}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`--${name} is "${text}": it must be a whole number of at least ${least}`);
}

function quantized(text: string): QuantizedFormat {
  if (isQuantized(text)) return text;
  throw new UsageError(`--quantize is "${text}": it must be int8 or int4`);
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      device: { type: "string" },
      rounds: { type: "string", default: "5" },
      "prompt-tokens": { type: "string", default: "256" },
      tokens: { type: "string", default: "64" },
      quantize: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const folders = [SHIPPED, ...positionals.filter((folder) => resolve(folder) !== resolve(SHIPPED))];
  for (const folder of folders) {
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
  }
  const devices = values.device?.split(",");
  const unknown = devices?.find((name) => !DEVICES.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no device "${unknown}": use ${DEVICES.join(", ")}`);
  return {
    folders,
    devices: devices as readonly DeviceName[] | undefined,
    rounds: wholeNumber("rounds", values.rounds, 1),
    promptTokens: wholeNumber("prompt-tokens", values["prompt-tokens"], 1),
    tokens: wholeNumber("tokens", values.tokens, 2),
    quantize: values.quantize === undefined ? undefined : quantized(values.quantize),
    isJson: values.json,
    isHelp: values.help,
  };
}

/** The next report of a worker; throws what it failed with. */
function nextReport(child: ChildProcess): Promise<Loaded | Round> {
  return new Promise((accept, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the process ended with ${code} before its report`));
    child.once("exit", onExit);
    child.once("message", (report: Report) => {
      child.off("exit", onExit);
      if (report.kind === "failed") reject(new Error(report.message));
      else accept(report);
    });
  });
}

/** Starts a worker and waits until its model is loaded and warm. */
async function startWorker(assignment: Assignment): Promise<{ child: ChildProcess; loaded: Loaded }> {
  const child = fork(fileURLToPath(import.meta.url), ["--work", JSON.stringify(assignment)]);
  try {
    return { child, loaded: (await nextReport(child)) as Loaded };
  } catch (error) {
    child.kill();
    throw error;
  }
}

/** The devices to measure, and why not the others. */
async function devicesAtHand(): Promise<{ devices: readonly DeviceName[]; note: string }> {
  const { name, reason } = await chooseDevice();
  return { devices: name === "webgpu" ? ["wasm", "webgpu"] : ["wasm"], note: reason };
}

async function bench(): Promise<void> {
  const { folders, devices: asked, isJson, isHelp, ...sizes } = readArguments();
  const { rounds, promptTokens, tokens, quantize } = sizes;
  if (isHelp) return console.log(USAGE);
  const { devices, note } = asked ? { devices: asked, note: "" } : await devicesAtHand();
  const machine = {
    kedge: manifest.version,
    commit: commitOf(import.meta.dirname),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
  const entries: { measured: Measured & { rounds: Round[] }; child: ChildProcess }[] = [];
  try {
    for (const folder of folders) {
      for (const device of devices) {
        const { child, loaded } = await startWorker({
          folder,
          device,
          promptTokens,
          tokens,
          quantize,
        });
        entries.push({ child, measured: { model: basename(resolve(folder)), device, loaded, rounds: [] } });
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const { child, measured } of entries) {
        child.send("round");
        measured.rounds.push((await nextReport(child)) as Round);
      }
    }
  } finally {
    for (const { child } of entries) child.kill();
  }
  const measured = entries.map((entry) => entry.measured);
  if (isJson)
    return console.log(
      JSON.stringify({ machine, rounds, quantize: quantize ?? null, results: measured.map(summary) }, null, 2),
    );
  const gigabytes = (machine.memoryBytes / 1e9).toFixed(0);
  console.log(`kedge ${machine.kedge}, node ${machine.node}, ${machine.platform}`);
  console.log(`${machine.cpu}, ${machine.cores} cores, ${gigabytes} GB`);
  const kept = quantize ? `; matrices as ${quantize}` : "";
  for (const { model, device, loaded } of measured) {
    console.log(`${model} on ${device}: ${loaded.device}; ${loaded.promptTokens} + ${loaded.tokens} tokens${kept}`);
  }
  if (note !== "") console.log(`auto takes ${devices.at(-1)}: ${note}`);
  console.log(`\n${rounds} rounds, median (least–most)\n`);
  for (const line of table(measured)) console.log(line);
}

const [, , first, assignment] = process.argv;
guardOutput("bench");
if (first === "--work" && assignment !== undefined) await work(JSON.parse(assignment) as Assignment);
else if (first === "cost") await cost(process.argv.slice(3));
else if (first === "sessions") await benchSessions(process.argv.slice(3));
else if (first === "evaluation") await benchEvaluation(process.argv.slice(3));
else if (first === "waits") await benchWaits(process.argv.slice(3));
else if (first === "kernels" || first === "check" || first === "compare")
  await benchKernels(first, process.argv.slice(3));
else {
  try {
    await bench();
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
    console.error(`bench: ${sentenceOf(error)}`);
    if (isUsage) console.error(USAGE);
    process.exitCode = isUsage ? 2 : 1;
  }
}
