// Continues a prompt and prints the text as it comes. Then the same prompt again, three samples of it as one batch.

import { collect, loadModel } from "kedge";

const model = await loadModel("models/kedge-js-5m");
console.log(model.device.description);

const prompt = `/**
 * Keep only the even numbers and then add all the numbers together.
 */
function total(nums) {
`;

// Greedy unless a temperature is given. A function of this model ends with its first line that is "}".
const isWhole = ({ text }: { readonly text: string }) => /^\}\n/m.test(text);
process.stdout.write(prompt);
for await (const piece of model.generate(prompt, { maxTokens: 200, stopWhen: isWhole })) {
  process.stdout.write(piece.text);
}

const sampling = { temperature: 1, topP: 0.95, seed: 7, samples: 3, maxTokens: 200, stopWhen: isWhole };
for (const { sampleIndex, text, finishReason } of await collect(model.generate(prompt, sampling))) {
  console.log(`\n--- sample ${sampleIndex}, ended by ${finishReason}\n${text.trimEnd()}`);
}

const { weights, cache, activations } = model.memory();
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(
  `\nweights ${megabytes(weights)}, cache at its peak ${megabytes(cache.peak)}, activations ${megabytes(activations)}`,
);
await model.dispose();
