// Loads a model with a progress bar, and prints one line about it when it is loaded.

import { loadModel, type LoadOptions, type Model } from "kedge";
import type { ModelFolder } from "kedge/loaders";
import { UsageError, type DeviceArguments } from "./arguments.ts";
import * as format from "./format.ts";
import { findModel, type FoundModel } from "./model-source.ts";
import type { Terminal } from "./terminal.ts";

/** A model that is ready, and how long that took. */
export interface Loaded {
  readonly model: Model;
  /** what its folder is called */
  readonly name: string;
  readonly seconds: number;
}

/** The options of loading that the arguments stand for. Throws a UsageError for those that do not go together. */
export function loadOptions(given: DeviceArguments & { readonly context?: number }): LoadOptions {
  const { device, threads, deterministic, quantize, cacheType, context } = given;
  if (threads !== undefined && device !== undefined && device !== "auto" && device !== "wasm") {
    throw new UsageError(`--threads ${threads} is for the device wasm; --device is "${device}"`);
  }
  return {
    device,
    threads,
    deterministic,
    quantize,
    cacheType,
    contextLength: context,
  };
}

/** Finds (unless that is done) and loads a model, says on stderr what was loaded and where it runs, and frees it when `work` is done. */
export async function withModel<T>(
  source: string | FoundModel,
  options: LoadOptions,
  terminal: Terminal,
  work: (loaded: Loaded) => Promise<T>,
): Promise<T> {
  const found = typeof source === "string" ? await findModel(source, terminal) : source;
  const loaded = await load(found.bare, options, terminal);
  try {
    const { contextLength } = loaded.model.config;
    if (options.contextLength !== undefined && options.contextLength > contextLength) {
      throw new UsageError(`--context is ${options.contextLength}, but this model's holds ${contextLength} tokens`);
    }
    return await work(loaded);
  } finally {
    await loaded.model.dispose();
  }
}

async function load(folder: ModelFolder, options: LoadOptions, terminal: Terminal): Promise<Loaded> {
  const begin = performance.now();
  const model = await terminal.withBar((bar) =>
    loadModel(folder, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ phase, done, of, detail, fraction }) => {
        const inBytes = phase === "download" ? detail : phase === "weights" ? phase : undefined;
        bar.update(fraction, 1, inBytes ? `${inBytes}, ${format.bytes(done)} of ${format.bytes(of)}` : phase);
      },
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  const { modelType } = model.config;
  const size = format.bytes(model.memory().weights);
  terminal.note(
    `${folder.name} (${modelType}, ${size} of weights) on ${model.device.description}; loaded in ${format.duration(seconds)}`,
  );
  for (const note of model.notes) terminal.warn(`note: ${note}`);
  for (const { implementation, reason } of model.device.demotions) {
    terminal.warn(`note: ${implementation} is wrong on this machine and not used: ${reason}`);
  }
  return { model, name: folder.name, seconds };
}
