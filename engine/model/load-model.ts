// From a folder to a model: configuration, weights on a device, tokenizer, tuned and prepared kernels.

import {
  loadConfig,
  loadTokenizer,
  findFolder,
  openWeights,
  UnsupportedError,
  type FolderFiles,
  type ModelFolder,
  type Tokenizer,
} from "../../loaders/index.ts";
import { cacheFormats, isQuantized, type CacheFormat, type QuantizedFormat } from "../../kernels/index.ts";
import type { Device } from "../devices/device.ts";
import { DEVICE_OPTIONS, openDevice, type DeviceChoice, type DeviceOptions } from "../devices/open.ts";
import { checkOptions, wholeNumbers, type OptionNames } from "../options.ts";
import type { TuneMode } from "../tuning/measured.ts";
import { Model } from "./model.ts";
import { notesOn, quantizationFor } from "./notes.ts";
import { Steps } from "./steps.ts";
import { loadWeights, type ModelWeights } from "./weights.ts";

/** The progress of loading a model. */
export interface LoadProgress {
  readonly stage: "download" | "files" | "weights" | "tuning" | "kernels";
  /** bytes of "download" and "weights", a count otherwise */
  readonly done: number;
  readonly of: number;
  /** the current tensor or file */
  readonly detail: string;
}

/** Options of {@link loadModel}: the device and its options, formats of weights and cache, sizes, and where to get files. */
export interface LoadOptions extends DeviceOptions {
  /** by name, `auto`, or a device opened by the caller, which then stays the caller's to dispose of */
  readonly device?: DeviceChoice | Device | undefined | undefined;
  /** most tokens of a sequence; the model's own limit by default */
  readonly contextLength?: number | undefined | undefined;
  /** most tokens kept by all sequences together */
  readonly maxCachedTokens?: number | undefined | undefined;
  /** keep matrices as int8 or int4 in groups of 32, made while loading; as stored by default, quantized files included. See docs/numerics.md */
  readonly quantize?: QuantizedFormat | undefined | undefined;
  /** what numbers of keys and values are kept as: f32 by default; f16 takes half the bytes, int8 about a quarter */
  readonly cacheType?: CacheFormat | undefined | undefined;
  /** rows of one prefill step; the device's preference by default */
  readonly chunkRows?: number | undefined | undefined;
  /**
   * Measured choice of kernel variants: follow what is kept for this machine ("kept"), time what is not within a second ("quick"),
   * or neither ("never"). By default a GPU with nothing kept is timed, and what is kept is followed.
   */
  readonly tune?: TuneMode | undefined | undefined;
  /** measured choice may take variants that round what others do not; false by default */
  readonly allowApproximate?: boolean | undefined | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined | undefined;
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
 * DeviceError when the device fails.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkOptions("loadModel", options, LOAD_OPTIONS);
  const { signal, onProgress, contextLength, maxCachedTokens, chunkRows, threads } = options;
  wholeNumbers("loadModel", { contextLength, maxCachedTokens, chunkRows, threads }, 1);
  const { deterministic, webgpu, wasm, webgl } = options;
  const deviceOptions = { threads, deterministic, webgpu, wasm, webgl };
  const report = (stage: LoadProgress["stage"], done: number, of: number, detail: string) =>
    onProgress?.({ stage, done, of, detail });
  signal?.throwIfAborted();
  if (options.quantize !== undefined && !isQuantized(options.quantize)) {
    throw new UnsupportedError(`quantize is "${String(options.quantize)}": use "int8" or "int4"`);
  }
  if (options.cacheType !== undefined && !cacheFormats.includes(options.cacheType)) {
    throw new UnsupportedError(`cacheType is "${String(options.cacheType)}": use "f32", "f16" or "int8"`);
  }
  const { folder } = await findFolder(source, {
    signal,
    onProgress: ({ file, bytesLoaded, bytesTotal }) => report("download", bytesLoaded, bytesTotal, file),
  });
  report("files", 0, 3, "config.json");
  const declared = await loadConfig(folder, signal);
  report("files", 1, 3, "weights");
  const checkpoint = await openWeights(folder, signal);
  const quantized = await quantizationFor(checkpoint, folder.name, options.quantize);
  report("files", 2, 3, "tokenizer");
  const ownsDevice = typeof options.device !== "object";
  // workers start and kernels compile while the tokenizer is read
  const opening = typeof options.device === "object" ? options.device : openDevice(options.device, deviceOptions);
  const [opened, read] = await Promise.allSettled([opening, readTokenizer(folder, signal)]);
  let device = opened.status === "fulfilled" ? opened.value : undefined;
  let loaded: { readonly weights: ModelWeights } | undefined;
  try {
    if (read.status === "rejected") throw read.reason;
    if (!device) throw (opened as PromiseRejectedResult).reason;
    const tokenizer = read.value;
    const weightOptions = { file: folder.name, quantize: options.quantize, signal };
    const stepsOptions = {
      contextLength,
      maxSlots: maxCachedTokens,
      chunkRows,
      cacheType: options.cacheType,
    };
    const plan = { checkpoint, config: declared, weightOptions, stepsOptions };
    if (device.refusal) {
      const { dryRun } = await import("./dry-run.ts");
      device = await dryRun(device, plan, options.device, deviceOptions);
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
    const notes = notesOn({ declared, config, tokenizer, unused, quantized });
    return new Model({ device, steps, weights, tokenizer, ownsDevice, quantized: quantized.format, notes });
  } catch (error) {
    for (const one of loaded?.weights.all ?? []) device?.destroy(one);
    if (ownsDevice) await device?.dispose();
    throw error;
  } finally {
    await checkpoint.close();
  }
}

async function readTokenizer(folder: ModelFolder, signal?: AbortSignal): Promise<Tokenizer | null> {
  const hasTokenizer = (await folder.has("tokenizer.json")) || (await folder.has("vocab.json"));
  return hasTokenizer ? loadTokenizer(folder, signal) : null;
}
