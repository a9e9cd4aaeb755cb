#!/usr/bin/env node
// npm run results: measures what the documentation claims of anchors, and writes docs/results.md. The models will be replaced by
// better trained ones: everything in the file is measured anew.
//
//   npm run results -- [--smollm2 FOLDER --humaneval FILE [--humaneval-limit N]] [--limit N] [--only formats] [--out FILE]
//   npm run results -- --only real-model --data FOLDER [--model FOLDER [--hours N]]

import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { Command, Option } from "commander";
import { replaceableFile, visibleText, writeWholeFile } from "kedge/loaders";
import { runAsProcess } from "../as-process.ts";
import { lockFile } from "../file-lock.ts";
import { interruptedCode } from "../interruption.ts";
import { anchorAttention, untrainedPolicies } from "./anchor-attention.ts";
import { ReportContext } from "./context.ts";
import { formats } from "./formats.ts";
import { dilution, exactness, groupsAndNeglect, tuning } from "./prompt-anchoring.ts";
import { realModel } from "./real-model/index.ts";
import { DILUTION_PLOT } from "./real-model/report-caches.ts";
import { REAL_MODEL } from "./real-model/report.ts";
import { smolLm2 } from "./smollm2.ts";
import { sparsity } from "./sparsity.ts";

interface Options {
  readonly smollm2?: string;
  readonly humaneval?: string;
  readonly humanevalLimit: string;
  readonly limit?: string;
  readonly only?: string;
  readonly model?: string;
  readonly data?: string;
  readonly hours?: string;
  readonly out: string;
}

function readOptions(): Options {
  return new Command("results")
    .option("--smollm2 <folder>", "SmolLM2-135M-Instruct, for its sections")
    .option("--humaneval <file>", "HumanEval-X JavaScript, .jsonl or .jsonl.gz")
    .option("--humaneval-limit <n>", "its first n tasks", "164")
    .option("--limit <n>", "only the first n tasks of each shipped set")
    .addOption(
      new Option("--only <section>", "measure one section anew and leave the others").choices([
        "formats",
        "real-model",
      ]),
    )
    .option("--model <folder>", "Qwen2.5-Coder-0.5B-Instruct, for the section real-model")
    .option("--hours <n>", "how long to make completions for the section real-model")
    .option("--data <folder>", "the benchmarks, for the section real-model")
    .option("--out <file>", "where to write", "docs/results.md")
    .parse()
    .opts<Options>();
}

await runAsProcess("results", async ({ stderr, signal }) => {
  const options = readOptions();
  const log = (line: string): void => void stderr.write(`${visibleText(line)}\n`);
  // Nothing is written before all is measured, so that nothing has to be put in order; the study on a real model keeps what it has.
  if (options.only !== "real-model") signal.addEventListener("abort", () => process.exit(interruptedCode(signal)));
  try {
    replaceableFile(options.out, { isRegularOnly: true });
    const lock = await lockFile(options.out);
    if (options.only === "real-model") await writeRealModel(options, log, signal);
    else await write(options, log);
    lock.release();
    return 0;
  } catch (error) {
    if (signal.aborted) {
      log("results: interrupted; what was completed is kept, and the same command goes on");
      return interruptedCode(signal);
    }
    log(`results: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
});

/** Goes on with the study on a real model, and writes its section, the report's first. */
async function writeRealModel(
  { out, data, model, hours }: Options,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (data === undefined) throw new Error("--only real-model wants --data FOLDER, where the benchmarks are");
  const time = hours === undefined ? undefined : Number(hours);
  if (time !== undefined && !(time > 0)) throw new Error(`--hours is ${hours}: wanted a number above 0`);
  const report = readFileSync(out, "utf8");
  const { section, plot } = await realModel({ model, data, hours: time, log, signal });
  if (plot !== undefined) writeWholeFile(join(dirname(out), DILUTION_PLOT), plot);
  writeWholeFile(out, withSection(report, section, "first"));
  log(`wrote ${out}`);
}

/** Measures, and writes the report. */
async function write(options: Options, log: (line: string) => void): Promise<void> {
  const { out, limit, humanevalLimit } = options;
  const before = existsSync(out) ? readFileSync(out, "utf8") : "";
  const context = await ReportContext.open(log, limit === undefined ? undefined : Number(limit));
  const smollm2 =
    options.smollm2 !== undefined && options.humaneval !== undefined
      ? { folder: options.smollm2, humaneval: options.humaneval, limit: Number(humanevalLimit) }
      : undefined;
  try {
    if (options.only === "formats") {
      writeWholeFile(out, withSection(before, await formats(context, smollm2)));
    } else {
      const sections = [await anchorAttention(context), await untrainedPolicies(context)];
      const { strength, text } = await tuning(context);
      sections.push(
        text,
        await groupsAndNeglect(context, strength),
        await dilution(context, strength),
        await exactness(context),
        await sparsity(context),
        await formats(context, smollm2),
      );
      if (smollm2) sections.push(await smolLm2(context, smollm2));
      const kept = sectionOf(before, REAL_MODEL);
      if (kept !== undefined) sections.unshift(kept);
      writeWholeFile(out, `${heading(context)}\n\n${sections.join("\n\n")}\n`);
    }
    log(`wrote ${out}`);
  } finally {
    await context.dispose();
  }
}

/** The report with this section in place of the one that begins alike, or at this end. */
function withSection(report: string, section: string, end: "first" | "last" = "last"): string {
  const title = section.slice(0, section.indexOf(":"));
  const parts = report.trimEnd().split(/\n\n(?=## )/);
  const place = parts.findIndex((part) => part.startsWith(title));
  if (place < 0) parts.splice(end === "first" ? 1 : parts.length, 0, section);
  else parts[place] = section;
  return `${parts.join("\n\n")}\n`;
}

/** The section of a report that begins so. */
function sectionOf(report: string, begin: string): string | undefined {
  return report
    .trimEnd()
    .split(/\n\n(?=## )/)
    .find((part) => part.startsWith(begin));
}

function heading({ models, isCut }: ReportContext): string {
  const [cpu] = cpus();
  return `# Results

The measured effects of anchors, made by \`npm run results\` on ${models.dense.device.description} (${cpu?.model.trim() ?? "unknown processor"}). Greedy decoding is deterministic on one device. Intervals are
Wilson's (95 %), and paired comparisons are McNemar's exact test. [Performance](performance.md) has the speed.
${isCut ? "\n**Made with a part of the tasks only.**\n" : ""}
The first section is of a real code model. The models of the others are small (4.7 M parameters, trained for this project on synthetic tasks): if a method does not help these, this page says so, and that does not carry over to larger models.`;
}
