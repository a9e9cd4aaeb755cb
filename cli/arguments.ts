// The arguments that verbs share: numbers in a range, the device, how tokens are chosen. The message for a wrong argument says what was
// given and what is wanted.

import type { Command } from "commander";
import type { CachePolicy, TurnOptions } from "kedge";
import type { DeviceChoice } from "kedge/devices";
import { parsePolicy, POLICY_FORMS } from "kedge/policies";
import { cacheFormats, isQuantized, type CacheFormat, type QuantizedFormat } from "kedge/kernels";

/** The command was not called as it is meant: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const DEVICES: readonly DeviceChoice[] = ["auto", "wasm", "webgpu", "webgl", "reference"];

/** A parser of whole numbers min..max, of the option called `name`. */
export function whole(name: string, min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`${name} is "${text}": wanted a whole number ${range}`);
  };
}

/** A parser of numbers for which `holds` is true, of the option called `name`; `wanted` says which they are. */
export function number(name: string, wanted: string, holds: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && holds(value)) return value;
    throw new UsageError(`${name} is "${text}": wanted ${wanted}`);
  };
}

function device(text: string): DeviceChoice {
  const found = DEVICES.find((name) => name === text);
  if (found) return found;
  throw new UsageError(`--device is "${text}": wanted ${DEVICES.slice(0, -1).join(", ")} or ${DEVICES.at(-1)}`);
}

/** The format that the option called `name` says. */
export function quantized(name: string, text: string): QuantizedFormat {
  if (isQuantized(text)) return text;
  throw new UsageError(`${name} is "${text}": wanted int8 or int4`);
}

function cacheType(text: string): CacheFormat {
  const found = cacheFormats.find((format) => format === text);
  if (found) return found;
  throw new UsageError(`--cache-type is "${text}": wanted f32, f16 or int8`);
}

function stop(text: string, earlier: readonly string[] | undefined): readonly string[] {
  if (text === "") throw new UsageError(`--stop is "": wanted a text of at least 1 character`);
  return [...(earlier ?? []), text.replaceAll(String.raw`\n`, "\n")];
}

function policy(text: string): CachePolicy {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--cache: ${error.message}`, { cause: error });
    throw error;
  }
}

/** How keys and values are kept. */
export interface CacheArguments {
  readonly cacheType?: CacheFormat;
}

/** Where to run. */
export interface DeviceArguments extends CacheArguments {
  readonly device: DeviceChoice;
  readonly threads?: number;
  readonly deterministic?: boolean;
  readonly quantize?: QuantizedFormat | undefined;
}

/** Adds --quantize. */
export function addQuantize(command: Command): Command {
  return command.option("--quantize <format>", "keep the weights as int8 or int4 (default: as stored)", (text) =>
    quantized("--quantize", text),
  );
}

/** Adds --cache-type. */
export function addCacheType(command: Command): Command {
  return command.option("--cache-type <format>", "keep keys and values as f32, f16 or int8 (default: f32)", cacheType);
}

/** Adds --device, --threads, --deterministic and --quantize. */
export function addDevice(command: Command): Command {
  command
    .option("-d, --device <name>", "auto, wasm, webgpu, webgl or reference", device, "auto")
    .option("--threads <n>", "threads of wasm (default: as many as help)", whole("--threads", 1, 256))
    .option("--deterministic", "the same sums in the same order on every machine");
  return addQuantize(command);
}

/** Adds --json. */
export function addJson(command: Command): Command {
  return command.option("--json", "print one JSON document for programs");
}

/** How tokens are chosen, when a text ends, which keys are kept. */
export interface SamplingArguments {
  readonly maxTokens: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly cache?: CachePolicy;
}

/** Adds the options of choosing tokens, of stopping and of the cache. */
export function addSampling(command: Command, maxTokens: number): Command {
  command
    .option("-n, --max-tokens <n>", "most tokens to write", whole("--max-tokens", 1), maxTokens)
    .option(
      "-t, --temperature <t>",
      "0 takes the likeliest token, 1 draws as the model says (default: 0)",
      number("--temperature", "a number of at least 0", (value) => value >= 0),
    )
    .option("--top-k <k>", "draw among the k likeliest tokens; 0 for all", whole("--top-k", 0))
    .option(
      "--top-p <p>",
      "draw among the fewest tokens whose probabilities sum to p",
      number("--top-p", "a number above 0 and at most 1", (value) => value > 0 && value <= 1),
    )
    .option(
      "--min-p <p>",
      "draw among tokens at least p times as probable as the likeliest",
      number("--min-p", "a number from 0 to 1", (value) => value >= 0 && value <= 1),
    )
    .option(
      "--repetition-penalty <r>",
      "above 1 makes tokens that were there less likely",
      number("--repetition-penalty", "a number above 0", (value) => value > 0),
    )
    .option("--seed <n>", "draw the same tokens every time", whole("--seed", 0))
    .option("--stop <text>", String.raw`end at this text (\n is a line break); several may be given`, stop)
    .option("--cache <policy>", `which keys to keep: ${POLICY_FORMS.join(", ")}`, policy);
  return addCacheType(command);
}

/** The options of choosing and stopping as the engine takes them. */
export function samplingOptions(given: SamplingArguments): TurnOptions {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop: stops } = given;
  return { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop: stops };
}
