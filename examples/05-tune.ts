// Finds the strength of Selective Prompt Anchoring on a share of some tasks, coarsely and then finely, and scores it on the
// others. Here a task is passed if the text has the right call in it; `kedge tune` runs what was written instead.

import { collect, loadModel } from "kedge";
import { tuneStrength } from "kedge/anchoring";

const model = await loadModel("models/kedge-js-5m");

/** What is wanted, and what must be in the function. */
const tasks = [
  ["Return the largest number.", "Math.max"],
  ["Find the minimum.", "Math.min"],
  ["Keep only the even numbers.", "% 2 === 0"],
  ["Remove duplicate numbers.", "new Set"],
  ["Put the numbers in reverse order.", ".reverse()"],
  ["Multiply each number by 7.", "* 7"],
  ["Add 3 to each number.", "+ 3"],
  ["Keep the first 4.", ".slice(0, 4)"],
  ["Skip the first 4.", ".slice(4)"],
  ["Keep only the negative numbers.", "< 0"],
  ["Put nine at the front.", "[9, ..."],
  ["Return how many numbers there are.", ".length"],
] as const;

const stopWhen = ({ text }: { readonly text: string }) => /^\}/m.test(text);

/** How many of these tasks are passed at a strength, all of them as one batch. */
async function score(strength: number, indices: readonly number[]): Promise<number> {
  const prompts = indices.map((index) => {
    return `/**\n * <anchor>${tasks[index]![0]}</anchor>\n */\nfunction change(nums) {\n`;
  });
  const texts = await collect(model.generateBatch(prompts, { maxTokens: 60, stopWhen, anchoring: { strength } }));
  return texts.filter(({ text, promptIndex }) => text.includes(tasks[indices[promptIndex]!]![1])).length;
}

// From 0, where the anchors are masked, past 1, the model as it is. Of equal strengths the nearest to 1 wins: this model knows
// such sentences well, and needs no more of them. `state` and `onScore` make a search resumable.
const result = await tuneStrength({ tasks: tasks.length, share: 0.5, low: 0, high: 2, step: 0.25, score });
for (const { strength, passed } of result.curve) {
  console.log(`strength ${strength.toFixed(2)}: ${passed} of ${result.tuned.tasks} ${"█".repeat(passed)}`);
}
const { strength, held, heldPlain, gain, gainInterval } = result;
console.log(`\nbest: ${strength}; on the other tasks it passes ${held.passed} of ${held.tasks},`);
console.log(
  `the plain model ${heldPlain.passed}: a gain of ${gain.toFixed(2)} (95 %: ${gainInterval.low.toFixed(2)} to ${gainInterval.high.toFixed(2)})`,
);
await model.dispose();
