// One model on one device in a process of its own: loads it, then measures a round whenever it is told to. So the peak of
// resident memory is that of this model alone, and rounds of several models and devices can be interleaved.

import { collect, loadModel, type DeviceName, type Model } from "kedge";
import type { QuantizedFormat } from "kedge/kernels";

/** What a worker is to measure; its one argument, as JSON. */
export interface Assignment {
  readonly folder: string;
  readonly device: DeviceName;
  readonly promptTokens: number;
  readonly tokens: number;
  /** what matrices are kept as; as stored by default */
  readonly quantize?: QuantizedFormat;
}

/** A model that is loaded and warm. */
export interface Loaded {
  readonly kind: "loaded";
  readonly seconds: number;
  readonly device: string;
  /** of weights on the device */
  readonly weightBytes: number;
  /** most bytes that the process had resident while loading */
  readonly peakBytes: number;
  readonly promptTokens: number;
  readonly tokens: number;
}

/** One round. */
export interface Round {
  readonly kind: "round";
  /** of the whole prompt, up to its first new token */
  readonly promptTokensPerSecond: number;
  /** of the tokens after the first */
  readonly tokensPerSecond: number;
  readonly peakBytes: number;
}

/** What a worker says. */
export type Report = Loaded | Round | { readonly kind: "failed"; readonly message: string };

/** Tokens of an arbitrary but fixed text; what they say does not change how long they take. */
function someTokens(count: number, vocabSize: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919 + 13) % vocabSize);
}

/** When each of `count` greedy tokens after the prompt was there, in milliseconds from the start. */
async function clockTokens(model: Model, prompt: readonly number[], count: number): Promise<number[]> {
  const begin = performance.now();
  const times: number[] = [];
  const stopWhen = (): boolean => {
    times.push(performance.now() - begin);
    return false;
  };
  await collect(model.generate(prompt, { maxTokens: count, ignoreEndTokens: true, stopWhen }));
  return times;
}

async function measure(model: Model, { promptTokens, tokens }: Pick<Loaded, "promptTokens" | "tokens">) {
  const prompt = someTokens(promptTokens, model.config.vocabSize);
  const times = await clockTokens(model, prompt, tokens);
  const [first, last] = [times[0]!, times.at(-1)!];
  return {
    promptTokensPerSecond: (promptTokens * 1000) / first,
    tokensPerSecond: ((tokens - 1) * 1000) / (last - first),
  };
}

const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

function say(report: Report): void {
  process.send!(report);
}

function fail(error: unknown): void {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}

/** Works for a parent process until it hangs up. */
export async function work({ folder, device, promptTokens, tokens, quantize }: Assignment): Promise<void> {
  try {
    const begin = performance.now();
    const model = await loadModel(folder, { device, ...(quantize ? { quantize } : {}) });
    const seconds = (performance.now() - begin) / 1000;
    // Half of a short context for each, if it does not hold what was asked for.
    const most = Math.floor(model.contextLength / 2);
    const sizes = { promptTokens: Math.min(promptTokens, most), tokens: Math.min(tokens, most) };
    const { weights: weightBytes } = model.memory();
    const loadPeak = peakBytes();
    await measure(model, sizes); // warms up
    process.on("message", () => {
      void measure(model, sizes).then((round) => say({ kind: "round", ...round, peakBytes: peakBytes() }), fail);
    });
    const { description } = model.device;
    say({ kind: "loaded", seconds, device: description, weightBytes, peakBytes: loadPeak, ...sizes });
  } catch (error) {
    fail(error);
  }
}
