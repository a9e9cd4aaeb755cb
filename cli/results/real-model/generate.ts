// Makes the completions that files lack. An interruption loses only the tasks that were being decoded.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { CachePolicy, Model } from "kedge";
import type { StandIn } from "kedge/anchoring";
import { FormatError } from "kedge/loaders";
import { parsePolicy } from "kedge/policies";
import { PLAIN, waysCompleter, type Decoding } from "../../evaluation/completer.ts";
import type { LinesFile, Settings } from "../../evaluation/lines-file.ts";
import type { Task } from "../../evaluation/task.ts";
import { completionsPath, openCompletions, promptDigest, type Completion } from "./completions.ts";
import { MAX_TOKENS, taskFor, type BenchmarkName, type Way } from "./plan.ts";

/** Raised when texts end later than before, so that older ones may lack their end. */
const STOP_RULES = 1;

/** Options of {@link generate}. */
export interface GenerateOptions {
  readonly model: Model;
  /** of the model's files: see {@link modelDigest} */
  readonly digest: string;
  /** the folder of the store */
  readonly folder: string;
  readonly benchmark: BenchmarkName;
  /** decoded in one batch, in which the ways of one task read its prompt once; a way with a cache policy alone, so that its bytes are its own */
  readonly ways: readonly Way[];
  readonly tasks: readonly Task[];
  /** texts decoded together; 16 by default */
  readonly rows?: number | undefined;
  readonly onCompletion?: ((completion: Completion) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Completes the tasks that the ways' files lack.
 *
 * @throws the signal's reason; FormatError where a file was made in another way or from another prompt; RangeError for several ways of
 * which one has a cache policy
 */
export async function generate(options: GenerateOptions): Promise<void> {
  const { model, digest, folder, benchmark, ways, tasks, rows = 16, onCompletion, signal } = options;
  if (ways.length > 1 && ways.some(({ cache }) => cache !== undefined))
    throw new RangeError(
      `${ways.length} ways in one batch, one with a cache policy: its bytes could not be told from theirs`,
    );
  const { device, cacheType, quantized } = model;
  const made = { digest, weights: quantized ?? "as stored", cacheType, device: device.name };
  const files: LinesFile<Completion>[] = [];
  try {
    for (const way of ways)
      files.push(openCompletions(completionsPath(folder, benchmark, way), settingsOf(way, benchmark, made)));
    const done = files.map((file) => new Map(file.done.map((completion) => [completion.id, completion])));
    // The ways of a task follow one another, so that they are in the batch together.
    const open = tasks.flatMap((task) =>
      ways.flatMap((way, index) => {
        const given = taskFor(task, way);
        const completion = done[index]!.get(task.id);
        if (completion === undefined) return [{ task: given, way: index }];
        if (completion.prompt === promptDigest(given, way)) return [];
        throw new FormatError(
          files[index]!.path,
          `${task.id} was completed from another prompt: remove its line, or name another folder`,
        );
      }),
    );
    if (open.length === 0) return;
    const complete = waysCompleter(
      model,
      ways.map((way) => decodingOf(way, model)),
    );
    const bytesSinceLast = byteCounter(model);
    for await (const { task, way, texts, tokens } of complete(open, { rows, signal })) {
      const cache = ways[way]!.cache === undefined ? undefined : bytesSinceLast();
      const completion: Completion = {
        id: task.id,
        prompt: promptDigest(task, ways[way]!),
        text: texts[0]!,
        tokens: tokens![0]!,
        ...(cache && { cache }),
      };
      files[way]!.append(completion);
      onCompletion?.(completion);
    }
  } finally {
    for (const file of files) file.close();
  }
}

/** Counts bytes of keys and values over steps, from call to call. */
function byteCounter(model: Model): () => NonNullable<Completion["cache"]> {
  model.resetCacheStatistics();
  return () => {
    const { steps, mean, denseMean } = model.cacheStatistics();
    model.resetCacheStatistics();
    return { kept: Math.round(steps * mean), dense: Math.round(steps * denseMean) };
  };
}

/** What texts depend on. */
function settingsOf(way: Way, benchmark: BenchmarkName, model: Readonly<Record<string, string>>): Settings {
  return { benchmark, ...model, maxTokens: MAX_TOKENS, stopRules: STOP_RULES, way: { ...way } };
}

function decodingOf(way: Way, model: Model): Decoding {
  const {
    strength = 1,
    standIn,
    collapse,
    grouping = "one",
    schedule,
    byNeglect = false,
    temperature = 0,
    cache,
  } = way;
  const policy: CachePolicy | undefined = cache === undefined ? undefined : parsePolicy(cache);
  const variant = { schedule, collapse, standIn: standIn === undefined ? undefined : standInOf(standIn, model) };
  return { ...PLAIN, strength, grouping, byNeglect, variant, temperature, cache: policy, maxTokens: MAX_TOKENS };
}

function standInOf(name: NonNullable<Way["standIn"]>, model: Model): StandIn {
  if (name !== "space") return { kind: name };
  const tokens = model.tokenize(" ");
  if (tokens.length !== 1) throw new RangeError(`a space is ${tokens.length} tokens of this model, wanted 1`);
  return { kind: "token", token: tokens[0]! };
}

/** SHA-256 of a model's configuration, weights and tokenizer: 16 hexadecimal digits. */
export async function modelDigest(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Buffer);
  return hash.digest("hex").slice(0, 16);
}
