// kedge inside: analyses of what layers and heads do, each a table, a JSON document and a picture.

import type { Command } from "commander";
import type { Model } from "kedge";
import {
  attentionRollout,
  attributeLogit,
  logitLens,
  scoreHeads,
  studyAttention,
  TOKEN_CLASSES,
} from "kedge/attention";
import { replaceableFile, writeWholeFile } from "kedge/loaders";
import { addDevice, addJson, UsageError, whole, type DeviceArguments } from "./arguments.ts";
import * as format from "./format.ts";
import { htmlOf, svgOf, type HeatMap } from "./heat-map.ts";
import { loadOptions, withModel } from "./loading.ts";
import { givenPrompt } from "./prompt.ts";
import { shippedModel } from "./shipped.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface InsideArguments extends DeviceArguments {
  readonly promptFile?: string;
  readonly position?: number;
  readonly token?: string;
  readonly against?: string;
  readonly period?: number;
  readonly seed?: number;
  readonly svg?: string;
  readonly html?: string;
  readonly json?: boolean;
}

/** What an analysis found. */
interface Found {
  /** what JSON has */
  readonly result: object;
  readonly lines: readonly string[];
  readonly picture: HeatMap;
}

type Analysis = (model: Model, prompt: string, given: InsideArguments, signal: AbortSignal) => Promise<Found>;

const ANALYSES: Readonly<Record<string, Analysis>> = { lens, logit, heads, classes, rollout };
/** Those that make their own text. */
const WITHOUT_PROMPT = new Set(["heads"]);

/** `kedge inside ANALYSIS MODEL [PROMPT]` */
export const inside: Verb = {
  name: "inside",
  configure(command: Command) {
    command
      .summary("show what layers and heads do: lens, logit, heads, classes, rollout")
      .description(
        "lens: the likeliest tokens if the model ended before each layer. logit: what each head and layer adds to a token's logit. heads: previous-token, duplicate-token and induction scores. classes: attention by class of token. rollout: how much of each token reaches each place.",
      )
      .argument("<analysis>", "lens, logit, heads, classes or rollout")
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("[prompt]", "the text (heads makes its own)")
      .option("--prompt-file <file>", "read the text from a file; - for stdin")
      .option("--position <n>", "logit: the place, from 0 or, negative, from the end (default: -1)", positionNumber)
      .option("--token <text>", "logit: the token, as its text (default: the likeliest)")
      .option("--against <text>", "logit: the difference to this token")
      .option("--period <n>", "heads: random tokens that are said twice (default: 25)", whole("--period", 2))
      .option("--seed <n>", "heads: seed of the tokens (default: 0)", whole("--seed", 0))
      .option("--svg <file>", "write a picture")
      .option("--html <file>", "write a page with the picture");
    addJson(addDevice(command));
  },
  async execute(terminal, [name, source, argument], given: InsideArguments) {
    const analysis = Object.hasOwn(ANALYSES, name!) ? ANALYSES[name!] : undefined;
    if (!analysis)
      throw new UsageError(`there is no analysis "${name}": there are ${Object.keys(ANALYSES).join(", ")}`);
    for (const path of [given.svg, given.html]) if (path !== undefined) replaceableFile(path); // before the work
    const text = WITHOUT_PROMPT.has(name!)
      ? ""
      : (await givenPrompt(argument, given.promptFile, shippedModel(source!), terminal)).text;
    return withModel(source!, loadOptions(given), terminal, async ({ model, name: called }) => {
      const { result, lines, picture } = await analysis(model, text, given, terminal.signal);
      draw(picture, given, terminal);
      if (given.json) terminal.printJson({ model: called, device: model.device.name, ...result });
      else terminal.print(...lines);
      return 0;
    });
  },
};

function draw(picture: HeatMap, { svg, html }: InsideArguments, terminal: Terminal): void {
  const written = svg === undefined ? null : svgOf(picture);
  if (written) writeWholeFile(svg!, written.svg);
  const page = html === undefined ? null : htmlOf(picture);
  if (page) writeWholeFile(html!, page.html);
  const note = written?.note ?? page?.note;
  if (note) terminal.note(`the picture is not all of it: ${note}`);
}

async function lens(model: Model, prompt: string, _given: InsideArguments, signal: AbortSignal): Promise<Found> {
  const result = await logitLens(model, prompt, { signal });
  const { tokens, layers } = result;
  const names = layers.map((_, layer) => (layer === layers.length - 1 ? "end" : String(layer)));
  const rows = layers.map((places, layer) => [
    names[layer]!,
    ...places.at(-1)!.top.map(({ text, logProb }) => `${JSON.stringify(text)} ${percent(Math.exp(logProb))}`),
  ]);
  return {
    result,
    lines: [
      "the likeliest tokens after the text, if the model ended before each layer",
      ...format.table([["layer", "1", "2", "3", "4", "5"].slice(0, rows[0]!.length), ...rows], [0]),
    ],
    picture: {
      title: "logit lens: the likeliest next token, and its probability",
      rows: names.map((name) => (name === "end" ? "end" : `before layer ${name}`)),
      columns: tokens.map(({ text }) => text),
      values: layers.map((places) => places.map(({ top }) => Math.exp(top[0]!.logProb))),
      texts: layers.map((places) => places.map(({ top }) => top[0]!.text)),
    },
  };
}

async function logit(model: Model, prompt: string, given: InsideArguments, signal: AbortSignal): Promise<Found> {
  const { position } = given;
  const [token, against] = [oneToken(model, "--token", given.token), oneToken(model, "--against", given.against)];
  const result = await attributeLogit(model, prompt, { position, token, against, signal });
  const { layers, embedding, positions, bias } = result;
  const of = `${JSON.stringify(result.token.text)}${result.against ? ` less that of ${JSON.stringify(result.against.text)}` : ""}`;
  const named = layers[0]!.heads.map((_, head) => `head ${head}`);
  return {
    result,
    lines: [
      `the logit of ${of} after ${format.plural(result.position + 1, "token")} is ${signed(result.logit)}: embedding ${signed(embedding)}, positions ${signed(positions)}, biases ${signed(bias)}, and`,
      ...format.table(
        [
          ["layer", ...named, "feed-forward"],
          ...layers.map((layer, i) => [String(i), ...layer.heads.map(signed), signed(layer.feedForward)]),
        ],
        [0, ...named.map((_, i) => i + 1), named.length + 1],
      ),
    ],
    picture: {
      title: `what each part adds to the logit of ${of}`,
      rows: layers.map((_, layer) => `layer ${layer}`),
      columns: [...named, "feed-forward"],
      values: layers.map((layer) => [...layer.heads, layer.feedForward]),
    },
  };
}

const KINDS = ["previous", "duplicate", "induction"] as const;

async function heads(model: Model, _: string, { period, seed }: InsideArguments, signal: AbortSignal): Promise<Found> {
  const result = await scoreHeads(model, { period, seed, signal });
  const { layers } = result;
  const best = (kind: (typeof KINDS)[number]) =>
    layers
      .flatMap((layer, i) => layer[kind].map((score, head) => ({ name: `${i}.${head}`, score })))
      .toSorted((a, b) => b.score - a.score)
      .slice(0, 5)
      .map(({ name, score }) => `${name} ${score.toFixed(3)}`);
  return {
    result,
    lines: [
      `layer.head and mean weight, of ${format.plural(result.period, "random token")} that are said twice`,
      ...format.table(KINDS.map((kind) => [`${kind} token`.replace("induction token", "induction"), ...best(kind)])),
    ],
    picture: {
      title: "heads: mean weight to the previous token, the duplicate, and the one behind it (induction)",
      rows: layers.map((_layer, layer) => `layer ${layer}`),
      columns: KINDS.flatMap((kind) => layers[0]![kind].map((_score, head) => `${kind} ${head}`)),
      values: layers.map((layer) => KINDS.flatMap((kind) => [...layer[kind]])),
    },
  };
}

async function classes(model: Model, prompt: string, _given: InsideArguments, signal: AbortSignal): Promise<Found> {
  const { layers } = await studyAttention(model, model.tokenize(prompt), { signal });
  const present = TOKEN_CLASSES.filter((name) => layers.some((layer) => (layer.classes?.[name].positions ?? 0) > 0));
  const rows = layers.map(({ layer, classes: own }) => ({ layer, classes: own }));
  return {
    result: { layers: rows },
    lines: [
      "share of attention by class of token / share of the positions",
      ...format.table(
        [
          ["layer", ...present],
          ...rows.map(({ layer, classes: own }) => [
            String(layer),
            ...present.map((name) => (own ? `${percent(own[name].mass)}/${percent(own[name].positions)}` : "-")),
          ]),
        ],
        [0, ...present.map((_, i) => i + 1)],
      ),
    ],
    picture: {
      title: "share of attention by class of token",
      rows: rows.map(({ layer }) => `layer ${layer}`),
      columns: [...present],
      values: rows.map(({ classes: own }) => present.map((name) => own?.[name].mass ?? null)),
    },
  };
}

async function rollout(model: Model, prompt: string, _given: InsideArguments, signal: AbortSignal): Promise<Found> {
  const { tokens, shares } = await attentionRollout(model, prompt, { signal });
  const rows = tokens.map((_, row) => [...shares.row(row)]);
  const largest = tokens
    .map(({ text }, position) => ({ text, position, share: shares.at(-1, position) }))
    .toSorted((a, b) => b.share - a.share)
    .slice(0, 10);
  return {
    result: { tokens, shares: rows },
    lines: [
      "what reaches the last place through all layers: the ten largest shares",
      ...format.table(
        largest.map(({ text, position, share }) => [String(position), JSON.stringify(text), percent(share)]),
        [0, 2],
      ),
    ],
    picture: {
      title: "attention rollout: the share of each token (columns) at each place (rows)",
      rows: tokens.map(({ text }) => text),
      columns: tokens.map(({ text }) => text),
      values: rows.map((row, at) => row.map((share, column) => (column > at ? null : share))),
    },
  };
}

/** The one token that a text is. */
function oneToken(model: Model, option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!model.tokenizer) throw new UsageError(`${option} ${JSON.stringify(text)}: this model's folder has no tokenizer`);
  const tokens = model.tokenizer.encode(text, { addSpecialTokens: false });
  if (tokens.length === 1) return tokens[0];
  throw new UsageError(`${option} ${JSON.stringify(text)} is ${tokens.length} tokens: give the text of one`);
}

function positionNumber(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new UsageError(`--position is "${text}": wanted a whole number`);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;
}
