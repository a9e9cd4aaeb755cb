// wllama: llama.cpp as WebAssembly, in headless Chromium. Its interface takes text; the count of tokens that it makes of the
// prompt is held to that of the others.

import type { Contender, Ready, Task } from "../comparison/contender.ts";
import { rateOf, roundTokens } from "../comparison/decoding.ts";
import { openChromiumPage, versionOf, type ChromiumPage } from "./chromium-page.ts";

interface Completion {
  readonly text: string;
  readonly promptTokens: number;
  readonly pieces: number;
  readonly begin: number;
  readonly times: readonly number[];
}

const SCRIPT = `
import { Wllama } from "/modules/@wllama/wllama/esm/index.js";
let wllama;
globalThis.load = async ({ threads }) => {
  const quiet = () => {};
  wllama = new Wllama({ default: "/modules/@wllama/wllama/esm/wasm/wllama.wasm" },
    { suppressNativeLog: true, logger: { debug: quiet, log: quiet, warn: quiet, error: console.error } });
  const file = await (await fetch("/model.gguf")).blob();
  await wllama.loadModel([file], { n_ctx: 1024, n_batch: 512, n_ubatch: 512, n_threads: threads, n_gpu_layers: 0,
    flash_attn: true, n_parallel: 1 });
  return { threads: wllama.getNumThreads(), isMultithread: wllama.isMultithread(), llama: Wllama.getLibllamaVersion() };
};
globalThis.complete = async ({ prompt, count }) => {
  const times = [];
  let text = "", usage, timings;
  const begin = performance.now();
  const chunks = await wllama.createCompletion({ prompt, max_tokens: count, temperature: 0, top_k: 1, stream: true,
    ignore_eos: true, cache_prompt: false, stream_options: { include_usage: true } });
  for await (const chunk of chunks) {
    const piece = chunk.choices?.[0]?.text ?? "";
    if (piece !== "") times.push(performance.now());
    text += piece;
    usage = chunk.usage ?? usage;
    timings = chunk.timings ?? timings;
  }
  return { text, promptTokens: timings?.prompt_n ?? usage?.prompt_tokens ?? 0, pieces: timings?.predicted_n ?? usage?.completion_tokens ?? times.length, begin, times };
};`;

async function prepareModel(page: ChromiumPage, task: Task) {
  const { threads, prompt, count } = task;
  const loaded = await page.call<Record<string, string | number | boolean>>("load", { threads });
  const complete = async (most: number): Promise<Completion> => {
    const done = await page.call<Completion>("complete", { prompt: prompt.text, count: most });
    if (done.promptTokens !== prompt.tokens.length)
      throw new Error(`wllama read ${done.promptTokens} tokens of the prompt, the others ${prompt.tokens.length}`);
    if (done.pieces !== most) throw new Error(`wllama made ${done.pieces} tokens, the others ${most}`);
    return done;
  };
  const { text } = await complete(count);
  const round = async (): Promise<number> => {
    return rateOf(task, await complete(roundTokens(task)));
  };
  const settings = {
    wllama: versionOf("@wllama/wllama"),
    "llama.cpp": loaded["llama"]!,
    in: page.version,
    threads: loaded["threads"]!,
    "multi-thread": loaded["isMultithread"]!,
    "flash attention": true,
    weights: "q4_1, embeddings q8_0",
  };
  return { ready: { settings, text } as Ready, round };
}

/** Makes wllama ready for a task. */
export function contender(): Contender {
  let page: ChromiumPage | undefined;
  let prepared: Awaited<ReturnType<typeof prepareModel>> | undefined;
  return {
    async prepare(task) {
      page = await openChromiumPage(task, SCRIPT);
      prepared = await prepareModel(page, task);
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => page?.close(),
  };
}
