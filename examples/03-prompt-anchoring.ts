// Holds on to a part of the prompt while decoding (Selective Prompt Anchoring): the words between the tags are masked in a
// second row of the same batch, and what they contribute to the next token's logits is amplified.

import { collect, loadModel } from "kedge";

const model = await loadModel("models/kedge-js-5m");
const { tokenizer } = model;
if (!tokenizer) throw new Error("the model has no tokenizer");

const prompt = `/**
 * Keep only the even numbers and then <anchor>add all the numbers together</anchor>.
 */
function total(nums) {
`;

// What comes after "a."? Strength 0 is the model without the anchored words, 1 the model as it is, above 1 more of them.
const begun = `${prompt}  const a = nums.filter((x) => x % 2 === 0);\n  return a.`;
console.log("strength  what may follow `return a.`");
for (const strength of [0, 0.5, 1, 1.25, 2]) {
  const anchoring = { strength };
  const [next] = await collect(model.generate(begun, { maxTokens: 1, logProbs: 3, anchoring }));
  const words = next!.logProbs![0]!.alternatives.map(({ token, logProb }) => {
    return `${tokenizer.decode([token]).trim()} ${(100 * Math.exp(logProb)).toFixed(2)} %`;
  });
  console.log(`${String(strength).padStart(8)}  ${words.join(", ")}`);
}

// Anchors can also be named outside the prompt: every occurrence of a text, each with a strength of its own if wanted. Each
// strength is a row of its own.
const plainPrompt = prompt.replaceAll(/<\/?anchor>/g, "");
const anchors = ["only the even numbers", { text: "add all the numbers together", strength: 1.5 }];
const stopWhen = ({ text }: { readonly text: string }) => /^\}/m.test(text);
const options = { maxTokens: 80, stopWhen, anchoring: { strength: 1.25, anchors, onNote: console.log } };
for await (const { text } of model.generate(plainPrompt, options)) process.stdout.write(text);

// Plainly first, and with the anchors held only if the caller's own check fails: a second row is paid for where it is needed.
const check = (text: string) => text.includes("reduce");
const { isAnchored, passed } = await model.generateUntilPassed(prompt, check, {
  ...options,
  anchoring: { strength: 1.25 },
});
console.log(`\nanchors were ${isAnchored ? "needed" : "not needed"}; the check ${passed ? "passed" : "failed"}`);
await model.dispose();
