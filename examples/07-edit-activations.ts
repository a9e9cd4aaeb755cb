// Activation patching: one prompt asks for the largest number, the other for the smallest. Each head's output is taken
// from the first run and put into the second by a hook; the heads that turn the answer carry the difference.

import { loadModel, type Hook } from "kedge";

const model = await loadModel("models/kedge-js-5m");
const { layers, heads, headDim } = model.config;

const ask = (what: string) => `/**\n * Return the ${what} number.\n */\nfunction total(nums) {\n  return Math.`;
const largest = model.tokenize(ask("largest"));
const smallest = model.tokenize(ask("smallest"));
const [max, min] = ["max", "min"].map((word) => model.tokenize(ask("largest") + word)[largest.length]!);

/** How much the model prefers "max" to "min" as the next word, in nats. */
async function preference(tokens: readonly number[], hooks: Readonly<Record<string, Hook>> = {}): Promise<number> {
  const { logits } = await model.forward(tokens, { hooks, logits: "last" });
  return logits!.data[max!]! - logits!.data[min!]!;
}

// z [tokens, heads, headDim] is what each head hands on.
const { captured } = await model.forward(largest, { capture: ["blocks.*.attn.hook_z"], logits: "none" });

/** Puts the first run's output of one head in place of the second's. A hook edits `data` in place or returns new numbers. */
function patchHead(head: number): Hook {
  return ({ name, data }) => {
    const from = captured[name]!.data;
    for (let begin = head * headDim; begin < data.length; begin += heads * headDim) {
      data.set(from.subarray(begin, begin + headDim), begin);
    }
  };
}

console.log(`"max" over "min", in nats: ${(await preference(largest)).toFixed(1)} when asked for the largest,`);
const before = await preference(smallest);
console.log(`${before.toFixed(1)} for the smallest; with one head of the first run in the second it moves by\n`);
console.log(`layer ${Array.from({ length: heads }, (_, head) => `head ${head}`.padStart(9)).join("")}`);
let most = { layer: 0, head: 0, moved: 0 };
for (let layer = 0; layer < layers; layer++) {
  const cells: string[] = [];
  for (let head = 0; head < heads; head++) {
    const moved = (await preference(smallest, { [`blocks.${layer}.attn.hook_z`]: patchHead(head) })) - before;
    if (moved > most.moved) most = { layer, head, moved };
    cells.push(moved.toFixed(1).padStart(9));
  }
  console.log(`${String(layer).padStart(5)} ${cells.join("")}`);
}
console.log(`\nMost of it passes through layer ${most.layer}, head ${most.head}: ${most.moved.toFixed(1)} nats.`);
await model.dispose();
