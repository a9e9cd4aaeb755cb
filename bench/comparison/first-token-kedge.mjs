// Loads a model and prints its first token; started by first-token.ts, which takes the time.

import { loadModel } from "kedge";

const { variant, threads, files, prompt } = JSON.parse(process.argv[2]);
const isFile = variant.endsWith(" file");
const folder = isFile ? files.quantizedFolder : files.folder;
const format = variant.split(" ")[0];
const quantize = isFile || format === "bf16" ? {} : { quantize: format };
const model = await loadModel(folder, { device: "wasm", threads, ...quantize });
for await (const { tokens } of model.generate(prompt.tokens, { maxTokens: 1, temperature: 0 })) {
  const settings = { device: model.device.description, weights: isFile ? `${format}, from a quantized file` : variant };
  console.log(JSON.stringify({ token: tokens[0], settings }));
  break;
}
