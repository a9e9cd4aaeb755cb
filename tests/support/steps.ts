// A model's steps without the model around them, for tests of the engine.

import type { Device } from "kedge";
import { openWeights, parseConfig, readJson, type ModelConfig, type ModelFolder } from "kedge/loaders";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import { Steps, type StepsOptions } from "../../engine/model/steps.ts";
import { loadWeights, type ModelWeights } from "../../engine/model/weights.ts";
import { tinyFolder } from "./tiny-model.ts";

/** What {@link openSteps} gives; disposing of the steps frees the weights too. */
export interface OpenedSteps {
  readonly steps: Steps;
  readonly decoder: EngineDecoder;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
}

/** The configuration and the weights of a folder, a tiny Llama by default, on a device. */
export async function openParts(
  device: Device,
  folder: ModelFolder = tinyFolder(),
  change: (config: ModelConfig) => ModelConfig = (config) => config,
): Promise<Pick<OpenedSteps, "config" | "weights">> {
  const config = change(parseConfig(await readJson(folder, "config.json", 1 << 20)));
  const { weights } = await loadWeights(device, await openWeights(folder), config, { file: "test" });
  return { config, weights };
}

/** The steps of a folder's model, a tiny Llama by default, on a device, and a decoder over them. */
export async function openSteps(
  device: Device,
  options: StepsOptions & {
    readonly folder?: ModelFolder;
    readonly change?: (config: ModelConfig) => ModelConfig;
  } = {},
): Promise<OpenedSteps> {
  const { folder, change, ...stepsOptions } = options;
  const { config, weights } = await openParts(device, folder, change);
  const steps = await Steps.create(device, config, weights, stepsOptions);
  return { steps, decoder: new EngineDecoder(steps), config, weights };
}
