// kedge attention: continues a prompt and studies the attention over it: dilution, sparsity, classes of tokens; or how far
// Selective Prompt Anchoring is from what it approximates.

import type { Command } from "commander";
import { collect, type Model } from "kedge";
import { hasAnchorTags, parseAnchorTags } from "kedge/anchoring";
import { studyAttention, TOKEN_CLASSES, type AttentionStudy, type Summary } from "kedge/attention";
import { addAnchoring, anchoringOptions, notesOf, type AnchoringArguments } from "./anchoring.ts";
import {
  addDevice,
  addJson,
  addSampling,
  samplingOptions,
  UsageError,
  type DeviceArguments,
  type SamplingArguments,
} from "./arguments.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import { givenPrompt } from "./prompt.ts";
import { shippedModel } from "./shipped.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface AttentionArguments extends DeviceArguments, SamplingArguments, AnchoringArguments {
  readonly promptFile?: string;
  readonly layers?: readonly number[];
  readonly minKeys?: number;
  readonly spaError?: readonly number[] | true;
  readonly json?: boolean;
}

const DEFAULT_STRENGTHS = [-1, 0, 0.5, 0.9, 1, 1.1, 1.25, 1.5, 2, 3];

/** `kedge attention MODEL [PROMPT]` */
export const attention: Verb = {
  name: "attention",
  configure(command: Command) {
    command
      .summary("study a model's attention on a prompt and its continuation")
      .description(
        "Continues a prompt and reports, of the attention over prompt and continuation: dilution (the prompt's share, token by token), sparsity by layer (Gini coefficient, mass of the two largest weights), and the mass of each class of tokens against its share of the positions.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("[prompt]", "the text to continue")
      .option("--prompt-file <file>", "read the prompt from a file; - for stdin")
      .option("--layers <list>", "layers whose mean the dilution is, such as 3,4 (default: the last)", layerList)
      .option("--min-keys <n>", "rows of the sparsity see so many keys or more (default: 32)", keyCount)
      .option(
        "--spa-error [strengths]",
        "instead: Selective Prompt Anchoring compared with the exact mode at these strengths, such as 0,1.25,2",
        strengthList,
      );
    addJson(addDevice(addAnchoring(addSampling(command, 128))));
  },
  async execute(terminal, [source, argument], given: AttentionArguments) {
    const prompt = await givenPrompt(argument, given.promptFile, shippedModel(source!), terminal);
    const anchoring = anchoringOptions(given, prompt.text, terminal);
    return withModel(source!, loadOptions(given), terminal, async ({ model, name }) => {
      const described = { model: name, device: model.device.name };
      if (given.spaError !== undefined) {
        if (!anchoring)
          throw new UsageError("--spa-error wants anchors: mark them with <anchor>…</anchor> or --anchor");
        const { strength: _strength, ...rest } = anchoring;
        const strengths = given.spaError === true ? DEFAULT_STRENGTHS : given.spaError;
        const rows = await model.compareWithExact(prompt.text, strengths, { ...rest, signal: terminal.signal });
        if (given.json) terminal.printJson({ ...described, rows });
        else printErrors(terminal, rows);
        return 0;
      }
      const [row] = await collect(
        model.generate(prompt.text, {
          ...samplingOptions(given),
          cache: given.cache,
          anchoring,
          signal: terminal.signal,
          onNote: notesOf(terminal),
        }),
      );
      const study = await studyText(model, prompt.text, row!.tokens, given, terminal);
      if (given.json) terminal.printJson({ ...described, text: row!.text, ...study });
      else print(terminal, study);
      return 0;
    });
  },
};

function studyText(
  model: Model,
  prompt: string,
  generated: readonly number[],
  { layers, cache, minKeys }: AttentionArguments,
  terminal: Terminal,
): Promise<AttentionStudy> {
  const tokens = model.tokenize(hasAnchorTags(prompt) ? parseAnchorTags(prompt).text : prompt);
  return studyAttention(model, [...tokens, ...generated], {
    promptLength: tokens.length,
    signal: terminal.signal,
    dilutionLayers: layers,
    cache,
    minKeys,
  });
}

function print(terminal: Terminal, { dilution, layers, tokens, promptLength, minKeys }: AttentionStudy): void {
  terminal.print(
    `prompt ${format.plural(promptLength, "token")}, ${format.plural(tokens - promptLength, "token")} after it`,
    "",
  );
  const step = Math.max(1, Math.ceil((dilution.length - 1) / 16));
  const points = dilution.map((share, after) => ({ share, after })).filter(({ after }) => after % step === 0);
  terminal.print("the prompt's share of attention, by tokens after it");
  terminal.print(
    ...format.table(
      points.map(({ share, after }) => [String(after), percent(share), "█".repeat(Math.round(share * 40))]),
      [0, 1],
    ),
  );
  terminal.print("", `sparsity, mean over heads and the rows of ${format.plural(minKeys, "key")} or more`);
  terminal.print(
    ...format.table(
      [
        ["layer", "Gini", "two largest", "rows"],
        ...layers.map(({ layer, sparsity, studiedRows }) => [
          String(layer),
          mean(sparsity.gini),
          mean(sparsity.topMass),
          `${studiedRows} of ${tokens}`,
        ]),
      ],
      [0, 1, 2, 3],
    ),
  );
  const mostKeys = Math.max(...layers.map((layer) => layer.mostKeys));
  if (mostKeys < minKeys) {
    terminal.print(`no row sees ${minKeys} keys, and the most that one sees is ${mostKeys}: see --min-keys`);
  }
  terminal.print("", "share of attention by class of token / share of the positions");
  const present = TOKEN_CLASSES.filter((name) => layers.some(({ classes }) => (classes?.[name].positions ?? 0) > 0));
  terminal.print(
    ...format.table(
      [
        ["layer", ...present],
        ...layers.map(({ layer, classes }) => [
          String(layer),
          ...present.map((name) => {
            const share = classes?.[name];
            return share ? `${percent(share.mass)}/${percent(share.positions)}` : "-";
          }),
        ]),
      ],
      present.map((_, i) => i + 1),
    ),
  );
}

function printErrors(terminal: Terminal, rows: Awaited<ReturnType<Model["compareWithExact"]>>): void {
  terminal.print(
    ...format.table(
      [
        ["strength", "KL (nats)", "same top token", "rms difference", "second-order term"],
        ...rows.map(({ strength, kl, isTopEqual, difference, secondOrder }) => [
          String(strength),
          format.small(kl),
          isTopEqual ? "yes" : "no",
          format.small(difference.rms),
          secondOrder === null ? "-" : format.small(secondOrder),
        ]),
      ],
      [0, 1, 3, 4],
    ),
  );
}

function mean(summary: Summary | null): string {
  return summary ? summary.mean.toFixed(3) : "-";
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function numbers(option: string, text: string): number[] {
  return text.split(",").map((part) => {
    const value = part.trim() === "" ? Number.NaN : Number(part);
    if (Number.isFinite(value)) return value;
    throw new UsageError(`${option} is "${text}": wanted numbers between commas`);
  });
}

function keyCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new UsageError(`--min-keys is "${text}": wanted a whole number of 0 or more`);
}

function layerList(text: string): readonly number[] {
  return numbers("--layers", text);
}

function strengthList(text: string): readonly number[] {
  return numbers("--spa-error", text);
}
