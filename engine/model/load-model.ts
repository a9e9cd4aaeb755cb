// From a folder to a model: configuration, weights on a device, tokenizer, tuned and prepared kernels.

import {
  loadConfig,
  loadTokenizer,
  findFolder,
  openWeights,
  UnsupportedError,
  type Checkpoint,
  type FolderFiles,
  type ModelConfig,
  type ModelFolder,
  type StoreChoice,
  type Tokenizer,
} from "../../loaders/index.ts";
import { cacheFormats, isQuantized, type CacheFormat, type QuantizedFormat } from "../../kernels/index.ts";
import type { Device } from "../devices/device.ts";
import { untilAbortedOrLate } from "../devices/dispose-late.ts";
import { checkDevices, DEVICE_OPTIONS, openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import type { TuneMode } from "../tuning/measured.ts";
import { progressReporter, type LoadProgress, type ProgressReport } from "./load-progress.ts";
import { Model } from "./model.ts";
import { notesOn, quantizationFor, type Quantization } from "./notes.ts";
import { Steps, type StepsOptions } from "./steps.ts";
import { loadWeights, type ModelWeights } from "./weights.ts";

/** Options of {@link loadModel}: the device and its options, formats of weights and cache, sizes, and where to get files. */
export interface LoadOptions extends DeviceOptions {
  /** by name, `auto`, or a device opened by the caller, which then stays the caller's to dispose of */
  readonly device?: DeviceChoice | Device | undefined;
  /** most tokens of a sequence; the model's own limit by default */
  readonly contextLength?: number | undefined;
  /** most tokens kept by all sequences together */
  readonly maxCachedTokens?: number | undefined;
  /** keep matrices as int8 or int4 in groups of 32, made while loading; as stored by default, quantized files included. See docs/numerics.md */
  readonly quantize?: QuantizedFormat | undefined;
  /** what numbers of keys and values are kept as: f32 by default; f16 takes half the bytes, int8 about a quarter */
  readonly cacheType?: CacheFormat | undefined;
  /** rows of one prefill step; the device's preference by default */
  readonly chunkRows?: number | undefined;
  /**
   * Measured choice of kernel variants: follow what is kept for this machine ("kept"), time what is not within a second ("quick"),
   * or neither ("never"). By default a GPU with nothing kept is timed, and what is kept is followed.
   */
  readonly tune?: TuneMode | undefined;
  /** measured choice may take variants that round what others do not; false by default */
  readonly allowApproximate?: boolean | undefined;
  /**
   * In a page, for a URL or a name on the Hub: where the files are kept, so that the next load fetches none of them that has not changed.
   * `"opfs"` (the origin private file system) or `"cache"` (the Cache API); by default the first of them that there is; `false` keeps nothing
   */
  readonly store?: StoreChoice;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LOAD_OPTIONS: OptionNames<LoadOptions> = {
  ...DEVICE_OPTIONS,
  device: true,
  contextLength: true,
  maxCachedTokens: true,
  quantize: true,
  cacheType: true,
  chunkRows: true,
  tune: true,
  allowApproximate: true,
  store: true,
  onProgress: true,
  signal: true,
};

/**
 * Where a model comes from: a folder's path, `owner/name` on the Hugging Face Hub, the name of a model that is installed with this
 * package (`kedge-js-5m`), a URL, files, or a folder opened by the caller. See `findFolder` of `kedge/loaders` for the rule.
 */
export type ModelSource = string | URL | FolderFiles | ModelFolder;

/**
 * Loads a model from a folder with config.json, safetensors and (for text) tokenizer.json.
 *
 * Throws a FormatError for files that are wrong, an UnsupportedError for a model, format or device that kedge does not run, a
 * DeviceError when the device fails, and the signal's reason within a second after an abort, whatever it waits for then.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkOptions("loadModel", options, LOAD_OPTIONS);
  const { contextLength, maxCachedTokens, chunkRows, signal } = options;
  wholeNumbers("loadModel", { contextLength, maxCachedTokens, chunkRows }, 1);
  checkDevices("loadModel", options);
  if (options.quantize !== undefined && !isQuantized(options.quantize)) {
    throw new UnsupportedError(`quantize is "${String(options.quantize)}": use "int8" or "int4"`);
  }
  if (options.cacheType !== undefined && !cacheFormats.includes(options.cacheType)) {
    throw new UnsupportedError(`cacheType is "${String(options.cacheType)}": use "f32", "f16" or "int8"`);
  }
  signal?.throwIfAborted();
  return endingSoon(load(source, options), signal);
}

/**
 * Gives a load that is aborted so long to end in order, with all that it took given back. One that takes longer goes on to its end in
 * the background, and its model is disposed of.
 */
const GRACE_MILLISECONDS = 500;

async function endingSoon(loading: Promise<Model>, signal: AbortSignal | undefined): Promise<Model> {
  if (!signal) return loading;
  const late = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => (timer = setTimeout(() => late.abort(signal.reason), GRACE_MILLISECONDS));
  signal.addEventListener("abort", onAbort);
  try {
    return await untilAbortedOrLate(loading, late.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

async function load(source: ModelSource, options: LoadOptions): Promise<Model> {
  const { signal, onProgress, contextLength, chunkRows, cacheType } = options;
  const report = progressReporter(onProgress);
  const { folder } = await findFolder(source, { signal, store: options.store });
  folder.onDownload?.(({ file, bytesLoaded, bytesTotal }) => report("download", bytesLoaded, bytesTotal, file));
  report("files", 0, 3, "config.json");
  const declared = await loadConfig(folder, signal);
  report("files", 1, 3, "weights");
  const checkpoint = await openWeights(folder, signal);
  try {
    const quantized = quantizationFor(checkpoint, folder.name, options.quantize);
    report("files", 2, 3, "tokenizer");
    // workers start and kernels compile while the tokenizer is read
    const opening = openForLoad(options);
    const [opened, read] = await Promise.allSettled([opening, readTokenizer(folder, signal)]);
    const stepsOptions = { contextLength, maxSlots: options.maxCachedTokens, chunkRows, cacheType };
    const parts = { folder, declared, checkpoint, quantized, stepsOptions, report };
    if (read.status === "rejected") {
      if (opened.status === "fulfilled" && ownsDevice(options)) await opened.value.dispose();
      throw read.reason;
    }
    if (opened.status === "rejected") throw opened.reason;
    return await loadOnto(opened.value, read.value, parts, options);
  } finally {
    await checkpoint.close();
  }
}

const ownsDevice = ({ device }: LoadOptions): boolean => typeof device !== "object";

/** Opens the device. One that is opened after an abort is disposed of. */
async function openForLoad(options: LoadOptions): Promise<Device> {
  const { device, signal } = options;
  return typeof device === "object" ? device : untilAbortedOrLate(openDevice(device, deviceOptionsOf(options)), signal);
}

function deviceOptionsOf({ threads, deterministic, webgpu, wasm, webgl }: LoadOptions): DeviceOptions {
  return { threads, deterministic, webgpu, wasm, webgl };
}

/** What was read of a model before its weights. */
interface LoadParts {
  readonly folder: ModelFolder;
  readonly declared: ModelConfig;
  readonly checkpoint: Checkpoint;
  readonly quantized: Quantization;
  readonly stepsOptions: StepsOptions;
  readonly report: ProgressReport;
}

/** Loads the weights onto a device and prepares the kernels. After a failure nothing of it is left there. */
async function loadOnto(
  first: Device,
  tokenizer: Tokenizer | null,
  { folder, declared, checkpoint, quantized, stepsOptions, report }: LoadParts,
  options: LoadOptions,
): Promise<Model> {
  const { signal } = options;
  let device = first;
  let loaded: { readonly weights: ModelWeights } | undefined;
  try {
    const weightOptions = { file: folder.name, quantize: options.quantize, signal };
    if (device.refusal) {
      const { dryRun } = await import("./dry-run.ts");
      const plan = { checkpoint, config: declared, weightOptions, stepsOptions };
      device = await dryRun(device, plan, options.device, deviceOptionsOf(options));
    }
    const config = declared.tiedEmbeddings
      ? await (await import("./config-as-stored.ts")).configAsStored(declared, checkpoint, signal)
      : declared;
    const { weights, unused } = (loaded = await loadWeights(device, checkpoint, config, {
      ...weightOptions,
      onProgress: (done, of, detail) => report("weights", done, of, detail),
    }));
    if (device.tuning && options.tune !== "never") {
      const { tuneAtLoad } = await import("../tuning/measured.ts");
      await tuneAtLoad({ device, config, weights, stepsOptions }, options.tune, {
        allowApproximate: options.allowApproximate ?? false,
        signal,
        onProgress: (done, of, detail) => report("tuning", done, of, detail),
      });
    }
    const steps = await Steps.create(device, config, weights, {
      ...stepsOptions,
      signal,
      onProgress: (done, of) => report("kernels", done, of, "kernels"),
    });
    report("kernels", 1, 1, "kernels");
    await checkpoint.close(); // all that is to be kept of the weights is written, or a note says why not
    const notes = [...notesOn({ declared, config, tokenizer, unused, quantized }), ...(folder.notes ?? [])];
    const { format } = quantized;
    return new Model({ device, steps, weights, tokenizer, ownsDevice: ownsDevice(options), quantized: format, notes });
  } catch (error) {
    for (const one of loaded?.weights.all ?? []) device.destroy(one);
    if (ownsDevice(options)) await device.dispose();
    throw error;
  }
}

async function readTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer | null> {
  const hasTokenizer = (await folder.has("tokenizer.json")) || (await folder.has("vocab.json"));
  return hasTokenizer ? loadTokenizer(folder, signal) : null;
}
