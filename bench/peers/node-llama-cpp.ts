// node-llama-cpp: llama.cpp's prebuilt binary for this CPU.

import { getLlama, LlamaLogLevel, type LlamaContextSequence, type Token } from "node-llama-cpp";
import type { Contender, Ready, Task } from "../comparison/contender.ts";
import { prepareDecoding } from "../comparison/decoding.ts";
import { firstToken } from "../comparison/first-token.ts";
import { versionOf } from "./chromium-page.ts";

/** Room for the longest prompt and what follows it. */
const CONTEXT = 1024;
const BATCH = 512;

async function continuation(sequence: LlamaContextSequence, prompt: readonly number[], count: number) {
  await sequence.clearHistory();
  const tokens: number[] = [];
  const times: number[] = [];
  const begin = performance.now();
  for await (const token of sequence.evaluate([...prompt] as Token[], { temperature: 0 })) {
    tokens.push(token);
    times.push(performance.now());
    if (tokens.length >= count) break;
  }
  return { tokens, begin, times };
}

async function prepareModel(task: Task) {
  const { threads, files } = task;
  const llama = await getLlama({
    ...{ gpu: false, build: "never", skipDownload: true, maxThreads: threads },
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: files.gguf });
  const contextSettings = { contextSize: CONTEXT, batchSize: BATCH, threads, flashAttention: true };
  const sequence = (await model.createContext(contextSettings)).getSequence();
  const features = llama.systemInfo.match(/\w+(?= = 1)/g)?.join(" ") ?? "";
  const settings = {
    "node-llama-cpp": versionOf("node-llama-cpp"),
    "llama.cpp": llama.llamaCppRelease.release,
    ...contextSettings,
    weights: "q4_1, embeddings q8_0",
    CPU: features,
  };
  const prepared = await prepareDecoding(task, settings, (prompt, count) => continuation(sequence, prompt, count));
  return { ...prepared, dispose: () => llama.dispose() };
}

/** Makes node-llama-cpp ready for a task. */
export function contender(): Contender {
  let prepared: { ready: Ready; round(): Promise<number>; dispose(): Promise<void> } | undefined;
  return {
    async prepare(task) {
      prepared =
        task.work === "first-token"
          ? await firstToken("bench/peers/first-token-llama.mjs", task)
          : await prepareModel(task);
      return prepared.ready;
    },
    round: () => prepared!.round(),
    dispose: async () => prepared?.dispose(),
  };
}
