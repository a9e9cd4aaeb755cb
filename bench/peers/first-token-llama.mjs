// Loads a model with node-llama-cpp and prints its first token; started by first-token.ts, which takes the time.

import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const { threads, files, prompt } = JSON.parse(process.argv[2]);
const llama = await getLlama({
  ...{ gpu: false, build: "never", skipDownload: true, maxThreads: threads },
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: files.gguf });
const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads, flashAttention: true });
for await (const token of context.getSequence().evaluate(prompt.tokens, { temperature: 0 })) {
  const settings = { "llama.cpp": llama.llamaCppRelease.release, threads, weights: "q4_1, embeddings q8_0" };
  console.log(JSON.stringify({ token, settings }));
  break;
}
