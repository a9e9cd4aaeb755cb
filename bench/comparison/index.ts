// `npm run bench:peers`: kedge beside its peers. Works one after the other; in each, all contenders in turns.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { loadTokenizer, localFolder, writeWholeFile, type Tokenizer } from "kedge/loaders";
import manifest from "../../package.json" with { type: "json" };
import { checkReady, openReference } from "./checks.ts";
import type { ModelFiles, Task } from "./contender.ts";
import { merged, type Circumstances, type MeasuredWork, type Measurements } from "./measured.ts";
import { makeModelFiles } from "./model-files.ts";
import { readOptions, USAGE, UsageError, type Options } from "./options.ts";
import { PASSAGE } from "./passage.ts";
import { goalsTable, withTables, workSection } from "./performance-page.ts";
import { runWork } from "./runner.ts";
import type { Work } from "./works.ts";
import { guardOutput, sentenceOf } from "../standard-output.ts";

const RESULTS = join("bench", "results", "peers.json");
const PAGE = join("docs", "performance.md");
/** Tokens of the prompt, by work; new tokens of a decoding round. */
const PROMPT_TOKENS = { prefill: 512, other: 32 } as const;
const NEW_TOKENS = 64;
/** Software adapters decode a few tokens a second. */
const NEW_TOKENS_ON_GPU = 16;

/** The beginning of the passage, of exactly `length` tokens, such that its text has the same tokens. */
function promptOf(tokenizer: Tokenizer, length: number): Task["prompt"] {
  const all = tokenizer.encode(PASSAGE, { addSpecialTokens: false });
  if (all.length < length) throw new Error(`the passage has ${all.length} tokens, fewer than ${length}`);
  const tokens = all.slice(0, length);
  const text = tokenizer.decode(tokens);
  const again = tokenizer.encode(text, { addSpecialTokens: false });
  if (again.join() !== tokens.join()) throw new Error(`the first ${length} tokens of the passage are not a text's`);
  return { text, tokens };
}

function circumstances({ rounds, threads }: Options): Circumstances {
  return {
    date: new Date().toISOString().slice(0, 10),
    kedge: manifest.version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    ...{ threads, rounds },
  };
}

const isModelWork = ({ name }: Work): boolean => /^(decode|prefill|first-token)/.test(name);

async function measure(work: Work, files: ModelFiles, tokenizer: Tokenizer, options: Options): Promise<MeasuredWork> {
  const prompt = promptOf(tokenizer, work.name === "prefill" ? PROMPT_TOKENS.prefill : PROMPT_TOKENS.other);
  const count = work.onGpu ? NEW_TOKENS_ON_GPU : NEW_TOKENS;
  const task = { threads: options.threads, files, prompt, count };
  const reference = isModelWork(work) ? await openReference(task) : undefined;
  const { only, icd } = options;
  const entrants = work.entrants.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  const measured = await runWork(work, {
    entrants,
    rounds: options.rounds,
    fileOf,
    task,
    gpuEnvironment: {
      XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? tmpdir(),
      ...(icd === undefined ? {} : { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd }),
    },
    check: (entrant, ready) => checkReady(entrant, ready, reference),
    beforeRounds: async () => reference?.dispose(),
    onProgress: (line) => console.error(line),
  });
  return { work: work.name, circumstances: circumstances(options), entrants: measured };
}

/** Ours lies here, the peers' beside their packages. */
const fileOf = (contender: string): string =>
  resolve("bench", contender === "kedge" ? "comparison" : "peers", `${contender}.ts`);

function readResults(): Measurements {
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as Measurements) : {};
}

async function compare(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return console.log(USAGE);
  const origin = {
    gguf: resolve(options.gguf),
    folder: resolve(options.folder),
    converter: options.converter,
    made: resolve(options.made),
  };
  const files = await makeModelFiles(origin, (line) => console.error(line));
  const tokenizer = await loadTokenizer(localFolder(files.folder));
  let results = readResults();
  for (const work of options.works) {
    const measured = await measure(work, files, tokenizer, options);
    const lines = [...workSection(work, measured), ...goalsTable([work], { [work.name]: measured }), ""];
    console.log(lines.join("\n"));
    results = merged(results, [measured]);
    if (options.isDry) continue;
    mkdirSync(dirname(RESULTS), { recursive: true });
    writeWholeFile(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
    writeWholeFile(PAGE, withTables(readFileSync(PAGE, "utf8"), results));
  }
}

guardOutput("bench:peers");
try {
  await compare();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  console.error(`bench:peers: ${sentenceOf(error)}`);
  if (isUsage) console.error(USAGE);
  process.exitCode = isUsage ? 2 : 1;
}
