// kedge estimate: memory before loading. Reads config.json, and the weights' header where that costs next to nothing.

import type { Command } from "commander";
import { configAsStored, estimate as estimateMemory } from "kedge";
import { isQuantized, type MatrixFormat, type QuantizedFormat } from "kedge/kernels";
import {
  FormatError,
  loadConfig,
  openWeights,
  quantizationOf,
  readJson,
  type FoundFolder,
  type Checkpoint,
  type ModelConfig,
} from "kedge/loaders";
import { addCacheType, addJson, addQuantize, UsageError, whole, type CacheArguments } from "./arguments.ts";
import { dtypeTotals } from "./checkpoint.ts";
import * as format from "./format.ts";
import { findModel } from "./model-source.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface EstimateArguments extends CacheArguments {
  readonly context?: number;
  readonly quantize?: QuantizedFormat | undefined;
  readonly json?: boolean;
}

const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const FORMATS: Readonly<Record<string, MatrixFormat>> = { F32: "f32", F16: "f16", BF16: "bf16" };
const TORCH: Readonly<Record<string, MatrixFormat>> = { float32: "f32", float16: "f16", bfloat16: "bf16" };

/** `kedge estimate MODEL` */
export const estimate: Verb = {
  name: "estimate",
  configure(command: Command) {
    command
      .summary("say what memory a model takes, without loading it")
      .description(
        "Says what memory a model takes, from config.json alone: weights as stored or quantized, keys and values in f32 or what --cache-type says.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .option(
        "--context <n>",
        "tokens in the cache (default: as many as the model's context holds)",
        whole("--context", 1),
      );
    addJson(addCacheType(addQuantize(command)));
  },
  async execute(terminal, [source], given: EstimateArguments) {
    const found = await findModel(source!, terminal);
    const declared = await loadConfig(found.folder, terminal.signal);
    const { contextLength, modelType } = declared;
    const { context = contextLength, cacheType = "f32" } = given;
    if (context > contextLength) {
      throw new UsageError(`--context is ${context}, but this model's holds ${contextLength} tokens`);
    }
    const stored = given.quantize && found.where === "hub" ? undefined : await storedFormat(found, declared, terminal);
    if (given.quantize && stored && isQuantized(stored.kind) && stored.kind !== given.quantize) {
      throw new UsageError(`--quantize is ${given.quantize}, but the weights are quantized to ${stored.kind} already`);
    }
    const isMade = given.quantize !== undefined && stored?.kind !== given.quantize;
    const { kind, from } = isMade ? { kind: given.quantize, from: "quantized at load" } : stored!;
    const config = stored?.config ?? declared;
    const { parameters, weights, cache, cachePerToken } = estimateMemory(config, kind, context, cacheType);
    if (given.json) {
      terminal.printJson({
        model: found.folder.name,
        family: modelType,
        format: kind,
        formatFrom: from,
        parameters: parameters.total,
        weights,
        cacheType,
        cachePerToken,
        contextLength: context,
        cache,
        total: weights + cache,
      });
      return 0;
    }
    terminal.print(
      terminal.style(found.folder.name, "bold"),
      `${modelType}, ${format.short(parameters.total)} parameters`,
      "",
      ...format.table(
        [
          ["weights", format.bytes(weights), `${kind}, ${from}`],
          [
            "cache",
            format.bytes(cache),
            `${format.plural(context, "token")} of ${format.bytes(cachePerToken)}, ${cacheType}`,
          ],
          ["total", format.bytes(weights + cache), "and activations, which depend on the device"],
        ],
        [1],
      ),
    );
    return 0;
  },
};

/** The quantized format of the weights, or else the format of most of their bytes; f32 for any other format. */
export function weightFormat(checkpoint: Pick<Checkpoint, "tensors" | "metadata">): MatrixFormat {
  return quantizationOf(checkpoint) ?? FORMATS[dtypeTotals(checkpoint.tensors.values())[0]?.[0] ?? ""] ?? "f32";
}

/** The format of the stored weights, its source, and the configuration that matches the files, if they are available. */
interface Stored {
  readonly kind: MatrixFormat;
  readonly from: string;
  readonly config?: ModelConfig;
}

/** Finds what is known of the stored weights. From the Hub a header would cost the whole download, and so would matrices from the web. */
async function storedFormat(
  { folder, where }: FoundFolder,
  declared: ModelConfig,
  terminal: Terminal,
): Promise<Stored> {
  if (where !== "hub") {
    try {
      const checkpoint = await openWeights(folder, terminal.signal);
      try {
        const config = where === "disk" ? await configAsStored(declared, checkpoint, terminal.signal) : declared;
        return { kind: weightFormat(checkpoint), from: "as stored", config };
      } finally {
        await checkpoint.close();
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      terminal.warn(`note: the weights cannot be read, so this is by config.json: ${error.message}`);
    }
  }
  const json = await readJson(folder, "config.json", MAX_CONFIG_BYTES, terminal.signal);
  const { dtype, torch_dtype } = json as { dtype?: unknown; torch_dtype?: unknown };
  const kind = TORCH[String(torch_dtype ?? dtype)];
  return kind ? { kind, from: "by config.json" } : { kind: "f32", from: "assumed: config.json does not say" };
}
