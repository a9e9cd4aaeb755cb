// Captures the attention pattern of one head during a forward pass and prints it as a heat map of text, then names the
// head that looks back at a chosen word the most.

import { loadModel } from "kedge";

const model = await loadModel("models/kedge-js-5m");
const { tokenizer, config } = model;
if (!tokenizer) throw new Error("the model has no tokenizer");

const tokens = model.tokenize("/**\n * Keep only the even numbers.\n */\nfunction total(nums) {\n");
const labels = tokens.map((token) => tokenizer.decode([token]).replaceAll("\n", "\\n"));

const { captured } = await model.forward(tokens, { capture: ["blocks.*.attn.hook_pattern"], logits: "none" });

/** The weights of a query's row, [keys]; patterns are [heads, queries, keys]. */
function patternRow(layer: number, head: number, query: number): Float32Array {
  const { shape, data } = captured[`blocks.${layer}.attn.hook_pattern`]!;
  const [, queries, keys] = shape as [number, number, number];
  const begin = (head * queries + query) * keys;
  return data.subarray(begin, begin + keys);
}

const shades = " .:-=+*#%@";
console.log("layer 2, head 0: one row per query, one column per key\n");
for (const [query, label] of labels.entries()) {
  const cells = Array.from(patternRow(2, 0, query).subarray(0, query + 1), (weight) => {
    return shades[Math.min(shades.length - 1, Math.floor(weight * shades.length))];
  });
  console.log(`${label.padStart(12)} |${cells.join("")}`);
}

// Which head of which layer, at the last token, puts the most weight on the word "even"?
const word = labels.findIndex((label) => label.includes("even"));
let best = { layer: 0, head: 0, weight: 0 };
for (let layer = 0; layer < config.layers; layer++) {
  for (let head = 0; head < config.heads; head++) {
    const weight = patternRow(layer, head, tokens.length - 1)[word]!;
    if (weight > best.weight) best = { layer, head, weight };
  }
}
console.log(`\n"${labels[word]}" has its most attentive head in layer ${best.layer}, head ${best.head}:`);
console.log(`${(best.weight * 100).toFixed(1)} % of its weight, from the last token`);
await model.dispose();
