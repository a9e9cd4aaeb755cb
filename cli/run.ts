// kedge run: continues a prompt. The text goes to stdout as it is generated; notes and statistics go to stderr.

import type { Command } from "commander";
import type { AnchoringOptions, FinishReason, Model, Piece, Prompt } from "kedge";
import { parseAnchorTags } from "kedge/anchoring";
import { addAnchoring, anchoringOptions, type AnchoringArguments } from "./anchoring.ts";
import {
  addDevice,
  addJson,
  addSampling,
  samplingOptions,
  UsageError,
  whole,
  type DeviceArguments,
  type SamplingArguments,
} from "./arguments.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import { findModel } from "./model-source.ts";
import { Pace } from "./pace.ts";
import { givenPrompt } from "./prompt.ts";
import { shippedModel, type Shipped } from "./shipped.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface RunArguments extends DeviceArguments, SamplingArguments, AnchoringArguments {
  readonly promptFile?: string;
  readonly samples: number;
  readonly logProbs?: number;
  readonly context?: number;
  readonly echo?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** One text that was written. */
interface Completion {
  text: string;
  tokens: number[];
  finishReason: FinishReason | "aborted";
  logProbs?: unknown[];
}

/** `kedge run MODEL [PROMPT]` */
export const run: Verb = {
  name: "run",
  configure(command: Command) {
    command
      .summary("continue a prompt")
      .description(
        "Continues a prompt. Without PROMPT it is read from stdin; the models that come with kedge have an example.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("[prompt]", "the text to continue, as it is (use `kedge chat` for a model's chat template)")
      .option("--prompt-file <file>", "read the prompt from a file; - for stdin");
    addAnchoring(addSampling(command, 256))
      .option("--samples <n>", "texts to write", whole("--samples", 1, 1024), 1)
      .option("--log-probs <n>", "with --json: log-probabilities, and n likeliest tokens", whole("--log-probs", 0))
      .option("--context <n>", "tokens that prompt and text may have together", whole("--context", 2))
      .option("--echo", "print the prompt, too")
      .option("-q, --quiet", "nothing but errors on stderr");
    addJson(addDevice(command));
  },
  async execute(terminal, [path, argument], given: RunArguments) {
    if (given.logProbs !== undefined && !given.json) {
      throw new UsageError(`--log-probs ${given.logProbs} wants --json, where there is room for them`);
    }
    terminal.isQuiet = given.quiet === true;
    const options = loadOptions(given);
    const shipped = shippedModel(path!);
    const found = await findModel(path!, terminal);
    const prompt = await givenPrompt(argument, given.promptFile, shipped, terminal);
    const anchoring = anchoringOptions(given, prompt.text, terminal);
    const plainText = anchoring ? parseAnchorTags(prompt.text).text : prompt.text;
    await withModel(found, options, terminal, async ({ model, name }) => {
      if (prompt.isExample) terminal.note("no prompt was given: completing the model's example");
      if (!given.json && (prompt.isExample || given.echo)) terminal.write(terminal.style(plainText, "dim"));
      const tokens = model.tokenize(plainText);
      const ends = given.stop === undefined ? shipped : undefined;
      const pace = new Pace(() => tokens.length, ends && (({ text }) => ends.isWhole(text)));
      const source = anchoring ? { prompt: prompt.text, anchoring } : { prompt: tokens };
      const completions = await write(model, source, pace, given, terminal);
      if (given.json) return printResult(terminal, model, name, plainText, pace, completions);
      terminal.note(summary(model, pace, completions, given.maxTokens, ends));
      if (prompt.isExample) suggest(terminal, path!, shipped!);
    });
    return 0;
  },
};

/** Writes the texts: one as it comes, several one after the other when each is whole. */
async function write(
  model: Model,
  { prompt, anchoring }: { readonly prompt: Prompt; readonly anchoring?: AnchoringOptions },
  pace: Pace,
  given: RunArguments,
  terminal: Terminal,
): Promise<Completion[]> {
  const { samples, cache, logProbs, json } = given;
  const completions = Array.from({ length: samples }, (): Completion => ({
    text: "",
    tokens: [],
    finishReason: "aborted",
    ...(logProbs === undefined ? {} : { logProbs: [] }),
  }));
  const streams = samples === 1 && !json;
  let printed = 0;
  let text = "";
  try {
    const pieces = model.generate(prompt, {
      ...samplingOptions(given),
      samples,
      anchoring,
      cache,
      logProbs,
      stopWhen: pace.stopWhen,
      signal: terminal.signal,
      onNote: (note) => terminal.note(`note: ${note}`),
    });
    for await (const piece of pieces) {
      pace.count(piece);
      add(completions[piece.sampleIndex]!, piece);
      if (streams) terminal.write(piece.text);
      if (json || streams) continue;
      for (; completions[printed] && completions[printed]!.finishReason !== "aborted"; printed++) {
        terminal.print(...(printed === 0 ? [] : [""]), `── ${printed + 1} of ${samples}`);
        terminal.write(endingInNewline(completions[printed]!.text));
      }
    }
  } catch (error) {
    if (!terminal.signal.aborted) throw error;
  }
  if (streams) text = completions[0]!.text;
  if (streams && !text.endsWith("\n")) terminal.write("\n");
  return completions;
}

function add(completion: Completion, piece: Piece): void {
  completion.text += piece.text;
  completion.tokens.push(...piece.tokens);
  if (piece.logProbs) completion.logProbs?.push(...piece.logProbs);
  if (piece.finishReason !== undefined) completion.finishReason = piece.finishReason;
}

function endingInNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function summary(
  model: Model,
  pace: Pace,
  completions: readonly Completion[],
  maxTokens: number,
  ends: Shipped | undefined,
): string {
  const { weights, cache } = model.memory();
  const reasons: Record<Completion["finishReason"], string> = {
    "stop-token": "the model ended it",
    "stop-string": "a stop text came",
    predicate: ends?.ending ?? "it is whole",
    "max-tokens": `the limit of ${format.plural(maxTokens, "token")} was reached (--max-tokens)`,
    "context-full": `the context of ${format.grouped(model.contextLength)} tokens is full`,
    aborted: "interrupted",
  };
  const reason = new Set(completions.map(({ finishReason }) => reasons[finishReason]));
  const memory = `weights ${format.bytes(weights)}, cache ${format.bytes(cache.peak)}`;
  return `${pace.describe()}; ${memory}; ended because ${[...reason].join(", ")}`.replace(
    "because interrupted",
    "early",
  );
}

function suggest(terminal: Terminal, source: string, { next }: Shipped): void {
  terminal.note("");
  terminal.note("try next:");
  terminal.note(`  npx kedge run ${source} ${next}`);
  terminal.note(`  npx kedge verify ${source}     npx kedge bench ${source}     npx kedge doctor     npx kedge --help`);
}

function printResult(
  terminal: Terminal,
  model: Model,
  name: string,
  prompt: string,
  pace: Pace,
  completions: readonly Completion[],
): void {
  const { device } = model;
  terminal.printJson({
    model: name,
    device: device.name,
    deviceDescription: device.description,
    prompt,
    completions,
    prefill: pace.prefill,
    decode: pace.decode,
    memory: model.memory(),
  });
}
