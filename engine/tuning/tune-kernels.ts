// Times the implementations of a loaded model's kernels on this machine: the calls of its recorded forward pass, on its weights, for several
// counts of rows. Calls with one signature (see `signatureOf`) are timed together, layer after layer, as a step runs them.

import type { Implementation } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { boundOf } from "../../kernels/index.ts";
import { isForRows } from "../devices/choose.ts";
import { DeviceError, type Device } from "../devices/device.ts";
import { implementationsOn } from "../devices/implementations.ts";
import { signatureOf, type MeasuredChoice } from "../devices/measured-choices.ts";
import { resolveParams, type Call } from "../devices/program.ts";
import { EngineDecoder } from "../model/engine-decoder.ts";
import { Steps, type StepsOptions } from "../model/steps.ts";
import type { ModelWeights } from "../model/weights.ts";
import type { OptionNames } from "../options.ts";
import { RepeatedCalls } from "../timing/repeated-calls.ts";
import { placeOf, type KernelChoice } from "./kept-choices.ts";
import { select, type Sampled } from "./fastest.ts";

/** How kernels are timed. */
export interface TuneKernelsOptions {
  /** only the heaviest calls, one row and a prefill's, within about a second; all of them by default */
  readonly isQuick?: boolean | undefined;
  /** also consider approximate implementations, whose results differ by more than rounding */
  readonly allowApproximate?: boolean | undefined;
  /** choices that are known already and not timed again */
  readonly known?: readonly MeasuredChoice[] | undefined;
  /** how long a run of calls should last; 0.02 by default, 0.004 in the quick form */
  readonly secondsPerRun?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number, detail: string) => void) | undefined;
  /** milliseconds; `performance.now` by default */
  readonly now?: (() => number) | undefined;
}

/** Options of `tuneKernels`. */
export const TUNE_KERNELS_OPTIONS: OptionNames<TuneKernelsOptions> = {
  isQuick: true,
  allowApproximate: true,
  known: true,
  secondsPerRun: true,
  signal: true,
  onProgress: true,
  now: true,
};

/** The result of timing. */
export interface KernelTuning {
  /** one for each kind of call and count of rows with more than one implementation */
  readonly choices: readonly KernelChoice[];
  /** false: time was up before all were timed */
  readonly isComplete: boolean;
  readonly seconds: number;
}

/** A loaded model's parts. */
export interface TunedModel {
  readonly device: Device;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly stepsOptions: StepsOptions;
}

/** Calls of one kind at one count of rows. */
interface Group {
  readonly signature: string;
  readonly rows: number;
  readonly bucket: Bucket;
  /** parameters are numbers */
  readonly calls: readonly Call[];
  /** of their matrices, all together */
  readonly byteLength: number;
}

/** Counts of rows begin..end that a time at `rows` rows speaks for. */
export interface Bucket {
  readonly rows: number;
  readonly begin: number;
  readonly end: number | null;
}

/** Rows of decoding one, two and a few texts, and of the last chunk of a prompt. */
const ROWS = [
  { rows: 1, begin: 1, end: 2 },
  { rows: 2, begin: 2, end: 3 },
  { rows: 4, begin: 3, end: 8 },
  { rows: 32, begin: 8, end: 64 },
] as const;
/** Steps of this many rows or more are whole chunks of a prompt. */
const MANY_ROWS = 64;
/** Rows of a step of which all are outputs: batches of texts; prompts have one output. */
const BATCH_ROWS = 4;
/** Keys in the cache before the step. */
const CONTEXT = 128;

const THOROUGH = { rounds: 9, secondsPerRun: 0.02, leastShare: 0, context: CONTEXT, seconds: Number.POSITIVE_INFINITY };
/** `leastShare`: of the bytes of all matrices */
const QUICK = { rounds: 5, secondsPerRun: 0.004, leastShare: 0.05, context: 0, seconds: 1 };

/** The counts of rows to time for chunks of so many rows. */
export function bucketsFor(chunkRows: number): readonly Bucket[] {
  const most = { rows: Math.max(1, chunkRows), begin: MANY_ROWS, end: null };
  return [...ROWS.filter(({ rows }) => rows <= chunkRows), ...(chunkRows >= MANY_ROWS ? [most] : [])];
}

/** Times a model's kernels. The weights stay as they are; cache and activations are its own. */
export async function tuneKernels(
  { device, config, weights, stepsOptions }: TunedModel,
  options: TuneKernelsOptions = {},
): Promise<KernelTuning> {
  const { isQuick = false, signal, now = () => performance.now() } = options;
  const usual = isQuick ? QUICK : THOROUGH;
  const effort = { ...usual, secondsPerRun: options.secondsPerRun ?? usual.secondsPerRun };
  const begin = now();
  const isLate = () => (now() - begin) / 1000 > effort.seconds;
  const steps = await Steps.create(device, config, { ...weights, all: [] }, { ...stepsOptions, signal });
  try {
    const known = new Set((options.known ?? []).map(placeOf));
    const choices: KernelChoice[] = [];
    const seen = new Set<string>();
    let isComplete = true;
    const isNew = ({ signature, bucket }: Group) => {
      const place = placeOf({ call: signature, begin: bucket.begin });
      return !known.has(place) && !seen.has(place) && seen.add(place);
    };
    const buckets = bucketsFor(Math.min(steps.chunkRows, steps.contextLength));
    const wanted = isQuick ? buckets.filter(({ end }, i) => i === 0 || end === null) : buckets;
    for (const [i, bucket] of wanted.entries()) {
      if (isLate()) {
        isComplete = false;
        break;
      }
      await atStep(steps, bucket, effort.context, signal, async (groups) => {
        const total = groups.reduce((sum, { byteLength }) => sum + byteLength, 0);
        const heavy = groups
          .filter((group) => group.byteLength >= effort.leastShare * total && isNew(group))
          .sort((one, other) => other.byteLength - one.byteLength);
        for (const [j, group] of heavy.entries()) {
          const detail = `${group.calls[0]!.kernel.name}, ${group.rows === 1 ? "1 row" : `${group.rows} rows`}`;
          options.onProgress?.(i + j / heavy.length, wanted.length, detail);
          const choice = await timeGroup(device, group, options, effort, isLate);
          if (choice === "late") isComplete = false;
          else if (choice) choices.push(choice);
        }
      });
    }
    return { choices, isComplete, seconds: (now() - begin) / 1000 };
  } finally {
    steps.dispose();
  }
}

/** Makes a step of so many rows, so that all that its calls read is there, and gives its calls in groups to `work`. */
async function atStep(
  steps: Steps,
  bucket: Bucket,
  context: number,
  signal: AbortSignal | undefined,
  work: (groups: readonly Group[]) => Promise<void>,
): Promise<void> {
  const { contextLength, config } = steps;
  const { rows } = bucket;
  const outputs = rows <= BATCH_ROWS ? rows : 1;
  const tokens = (count: number) => Array.from({ length: count }, (_, i) => i % config.vocabSize);
  const decoder = new EngineDecoder(steps);
  const sequence = decoder.open();
  try {
    const before = Math.min(context, contextLength - rows);
    if (before > 0) await decoder.logits([{ sequence, tokens: tokens(before) }], signal);
    const lastRows = Array.from({ length: outputs }, (_, i) => rows - outputs + i);
    const parts = [{ sequence, tokens: tokens(rows) }];
    const { calls, variables } = await steps.callsOf({ parts, outputs: lastRows, signal });
    await work(groupCalls(calls, variables, bucket));
  } finally {
    decoder.close(sequence);
  }
}

/** Calls by their kind and, because a prompt's step has few outputs, by their own count of rows. */
export function groupCalls(
  calls: readonly Call[],
  variables: Readonly<Record<string, number>>,
  bucket: Bucket,
): readonly Group[] {
  const groups = new Map<string, { signature: string; rows: number; calls: Call[]; byteLength: number }>();
  for (const call of calls) {
    const params = resolveParams(call, variables);
    const rows = params["rows"] ?? 1;
    const signature = signatureOf(call);
    const key = `${signature} ${rows}`;
    const group = groups.get(key) ?? { signature, rows, calls: [], byteLength: 0 };
    groups.set(key, group);
    group.calls.push({ ...call, params });
    for (const buffer of Object.values(call.buffers)) {
      if (buffer && "columns" in buffer) group.byteLength += buffer.byteLength;
    }
  }
  return [...groups.values()].map((group) => ({
    ...group,
    bucket: group.rows === bucket.rows ? bucket : ROWS.find(({ end }) => group.rows < end)!,
  }));
}

/** The choice for a group; undefined if fewer than two implementations fit. */
async function timeGroup(
  device: Device,
  { signature, rows, bucket, calls }: Group,
  options: TuneKernelsOptions,
  { rounds, secondsPerRun }: typeof THOROUGH,
  isLate: () => boolean,
): Promise<KernelChoice | "late" | undefined> {
  const { signal } = options;
  const own = await RepeatedCalls.open(device, calls, { signal });
  const preset = own.executable.chosen[0]![0]!;
  own.dispose();
  const ready: { readonly run: RepeatedCalls; readonly implementation: string; readonly samples: number[] }[] = [];
  try {
    for (const implementation of candidates(device, calls[0]!, preset, rows, options.allowApproximate ?? false)) {
      if (isLate()) return "late";
      const run = await openIfFit(device, calls, implementation, secondsPerRun, signal);
      if (run) ready.push({ run, implementation: implementation.name, samples: [] });
    }
    if (ready.length < 2) return undefined;
    for (const { run } of ready) await run.calibrate();
    for (let round = 0; round < rounds; round++) {
      if (isLate()) return "late";
      for (const { run, samples } of ready) samples.push(await run.sample());
    }
    const { begin, end } = bucket;
    return { call: signature, begin, end, rows, ...select(preset, ready satisfies readonly Sampled[]) };
  } finally {
    for (const { run } of ready) run.dispose();
  }
}

/** What may be chosen at so many rows: the preset, and what is no less exact unless the caller allows it. */
export function candidates(
  device: Pick<Device, "name" | "implementationsOf">,
  { kernel, params }: Call,
  preset: string,
  rows: number,
  allowApproximate: boolean,
): readonly Implementation[] {
  const known = implementationsOn(device, kernel).filter((one) => one !== undefined);
  const numbers = params as Readonly<Record<string, number>>;
  const own = known.find(({ name }) => name === preset);
  const isAllowed = (one: Implementation) =>
    one === own ||
    allowApproximate ||
    (one.isApproximate !== true && boundOf(kernel, one, numbers).absolute <= boundOf(kernel, own, numbers).absolute);
  return known.filter((one) => isForRows(one, rows) && isAllowed(one));
}

/** The calls with one implementation; undefined if it does not fit them or is wrong on this machine. */
async function openIfFit(
  device: Device,
  calls: readonly Call[],
  implementation: Implementation,
  secondsPerRun: number,
  signal: AbortSignal | undefined,
): Promise<RepeatedCalls | undefined> {
  try {
    return await RepeatedCalls.open(device, calls, { implementation, secondsPerRun, signal });
  } catch (error) {
    if (error instanceof DeviceError && error.kind === "unfit") return undefined;
    throw error;
  }
}
