// kedge inspect: what is in a model's files. Reads headers and config.json; no weights.

import { existsSync, statSync } from "node:fs";
import type { Command } from "commander";
import { configAsStored, estimate, UnsupportedError, type Estimate } from "kedge";
import {
  fileSource,
  httpSource,
  loadConfig,
  openSafetensors,
  openWeights,
  type ModelConfig,
  type TensorInfo,
} from "kedge/loaders";
import { addJson } from "./arguments.ts";
import { dtypeTotals, groupTensors, numbersIn, tensorTable } from "./checkpoint.ts";
import { weightFormat } from "./estimate.ts";
import * as format from "./format.ts";
import { findModel } from "./model-source.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface InspectArguments {
  readonly tensors?: boolean;
  readonly json?: boolean;
}

interface Inspected {
  readonly name: string;
  readonly files: readonly string[];
  readonly tensors: readonly TensorInfo[];
  readonly metadata: ReadonlyMap<string, string>;
  /** null for a file, and for a folder whose config.json kedge cannot run */
  readonly config: ModelConfig | null;
  readonly memory: Estimate | null;
}

/** `kedge inspect PATH` */
export const inspect: Verb = {
  name: "inspect",
  configure(command: Command) {
    command
      .summary("list what is in a model's files")
      .description("Lists tensors, the configuration in kedge's terms, and the memory that the model takes.")
      .argument("<path>", "a model (folder, address, owner/name) or one .safetensors file")
      .option("--tensors", "every tensor, layers not drawn together");
    addJson(command);
  },
  async execute(terminal, [path], given: InspectArguments) {
    const found = isFile(path!) ? await inspectFile(path!) : await inspectModel(path!, terminal);
    if (given.json) printInspected(terminal, found);
    else describe(terminal, found, given.tensors === true);
    return 0;
  },
};

function isFile(path: string): boolean {
  if (/^https?:\/\//i.test(path)) return new URL(path).pathname.endsWith(".safetensors");
  return existsSync(path) ? statSync(path).isFile() : path.endsWith(".safetensors");
}

async function inspectFile(path: string): Promise<Inspected> {
  const source = /^https?:\/\//i.test(path) ? await httpSource(path) : await fileSource(path);
  try {
    const { tensors, metadata } = await openSafetensors(source);
    return { name: path, files: [path], tensors: [...tensors.values()], metadata, config: null, memory: null };
  } finally {
    await source.close();
  }
}

async function inspectModel(path: string, terminal: Terminal): Promise<Inspected> {
  const { folder, where } = await findModel(path, terminal);
  const checkpoint = await openWeights(folder, terminal.signal);
  try {
    const tensors = [...checkpoint.tensors.values()];
    const declared = await configOrNull(() => loadConfig(folder, terminal.signal), terminal);
    const isNear = declared && where !== "web"; // on the web, comparing head and embedding would download both
    const config = isNear ? await configAsStored(declared, checkpoint, terminal.signal) : declared;
    const memory = config && estimate(config, weightFormat(checkpoint));
    const metadata = new Map([...checkpoint.metadata.values()].flatMap((entries) => [...entries]));
    return { name: folder.name, files: checkpoint.files, tensors, metadata, config, memory };
  } finally {
    await checkpoint.close();
  }
}

/** The configuration; null, with a note, for a model that kedge does not run: its files can be looked at all the same. */
async function configOrNull(read: () => Promise<ModelConfig>, terminal: Terminal): Promise<ModelConfig | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    terminal.warn(`note: kedge does not run this model: ${error.message}`);
    return null;
  }
}

function describe(terminal: Terminal, found: Inspected, isFull: boolean): void {
  const { name, files, tensors, metadata, config, memory } = found;
  const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const dtypes = dtypeTotals(tensors);
  const kinds =
    dtypes.length === 1 ? dtypes[0]![0] : dtypes.map(([dtype, size]) => `${dtype} ${format.bytes(size)}`).join(", ");
  const shards = files.length === 1 ? "" : ` in ${format.plural(files.length, "file")}`;
  const family = config ? `${config.modelType}, ` : "";
  terminal.print(
    terminal.style(name, "bold"),
    `${family}${format.short(numbersIn(tensors))} numbers in ${format.plural(tensors.length, "tensor")}, ${format.bytes(total)}${shards} (${kinds})`,
  );
  if (config) terminal.print("", terminal.style("configuration", "bold"), ...format.table(configRows(config)));
  if (memory) {
    terminal.print("", terminal.style("memory", "bold"), ...format.table(memoryRows(memory), [1]));
  }
  if (metadata.size > 0) {
    const rows = [...metadata].map(([key, value]) => [key, value.length > 80 ? `${value.slice(0, 79)}…` : value]);
    terminal.print("", terminal.style("metadata", "bold"), ...format.table(rows));
  }
  const groups = isFull ? tensors.map((tensor) => ({ ...tensor, count: 1 })) : groupTensors(tensors);
  terminal.print("", terminal.style("tensors", "bold"), ...tensorTable(groups));
}

/** Memory in rows of a table. */
function memoryRows({ weights, cachePerToken, cache, contextLength }: Estimate): string[][] {
  return [
    ["weights", format.bytes(weights), "as stored"],
    ["cache", format.bytes(cachePerToken * 1000), "for 1,000 tokens"],
    ["", format.bytes(cache), `for all ${format.grouped(contextLength)}`],
  ];
}

/** The configuration in rows of a table. */
function configRows(config: ModelConfig): string[][] {
  const { rotary, windows, anchors } = config;
  const windowed = windows.filter((window) => window > 0).length;
  const rows: [string, string | number | null | false][] = [
    ["layers", config.layers],
    ["width", `${format.grouped(config.dim)}, ${format.grouped(config.hiddenDim)} inside the feed-forward part`],
    ["heads", `${config.heads} of ${config.headDim}, ${config.kvHeads} of keys and values`],
    ["vocabulary", `${format.grouped(config.vocabSize)}${config.tiedEmbeddings ? ", embeddings tied" : ""}`],
    ["context", `${format.grouped(config.contextLength)} tokens`],
    ["activation", config.activation],
    ["positions", rotary ? `rotary, ${rotary.kind}` : "learned"],
    ["windows", windowed > 0 && `${Math.max(...windows)} tokens in ${windowed} of ${config.layers} layers`],
    ["soft caps", (config.attentionSoftcap ?? config.logitSoftcap) !== null && softcaps(config)],
    [
      "anchors",
      anchors && `tokens ${anchors.tokenIds.join(", ")}${anchors.layerMap.size > 0 ? "; layer-wise, too" : ""}`,
    ],
    ["end tokens", config.endTokenIds.length > 0 && config.endTokenIds.join(", ")],
  ];
  return rows.flatMap(([name, value]) => (value === false || value === null ? [] : [[name, String(value)]]));
}

function softcaps({ attentionSoftcap, logitSoftcap }: ModelConfig): string {
  return `attention ${attentionSoftcap ?? "none"}, logits ${logitSoftcap ?? "none"}`;
}

function printInspected(terminal: Terminal, { name, files, tensors, metadata, config, memory }: Inspected): void {
  terminal.printJson({
    name,
    files,
    family: config?.modelType ?? null,
    // A map has no JSON of its own.
    config: config && {
      ...config,
      anchors: config.anchors && { ...config.anchors, layerMap: Object.fromEntries(config.anchors.layerMap) },
    },
    numbers: numbersIn(tensors),
    byteLength: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
    memory: memory && {
      parameters: memory.parameters.total,
      weights: memory.weights,
      cachePerToken: memory.cachePerToken,
      cache: memory.cache,
      contextLength: memory.contextLength,
    },
    metadata: Object.fromEntries(metadata),
    tensors: tensors.map(({ name: tensor, dtype, shape, byteLength }) => ({ name: tensor, dtype, shape, byteLength })),
  });
}
