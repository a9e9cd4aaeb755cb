// A cache policy of one's own is a plain object: it is shown the keys of a sequence, and names those to keep. This one knows
// what matters in its prompts: it keeps the comment that says what is wanted and the text being written, and drops the rest.

import { collect, loadModel, policies, type CachePolicy } from "kedge";

const model = await loadModel("models/kedge-js-5m");

const finished = `/**
 * Sort the words by length, then join the words with commas.
 */
function describe(words) {
  const a = [...words].sort((p, q) => p.length - q.length);
  return a.join(',');
}

`;
const task = `/**
 * First keep the even values, then multiply each
 * number by 2, and finally keep the first 3.
 */
function prepare(nums) {
`;
const taskBegin = model.tokenize(finished).length;
const RECENT = 32;

const keepTask: CachePolicy = {
  name: "keep-task",
  // Most keys once the policy has acted, for estimates and tests.
  budget: (_layer, _layers, promptLength) => 1 + promptLength - taskBegin + RECENT,
  // Asked after each step: indices of the keys to keep, ascending; null keeps all. The newest key must be among them.
  keep({ positions, promptLength }) {
    const newest = positions.at(-1)!;
    const isKept = (position: number) =>
      position === 0 || (position >= taskBegin && position < promptLength) || position > newest - RECENT;
    return Uint32Array.from([...positions.keys()].filter((index) => isKept(positions[index]!)));
  },
};

const stopWhen = ({ text }: { readonly text: string }) => /^\}/m.test(text);
const keys = (bytes: number) =>
  Math.round(bytes / (model.config.layers * 2 * model.config.kvHeads * model.config.headDim * 4));
const budget = keepTask.budget!(null, model.config.layers, model.tokenize(finished + task).length);
for (const cache of [policies.full(), keepTask, policies.window({ budget: RECENT })]) {
  model.resetCacheStatistics();
  const [written] = await collect(model.generate(finished + task, { maxTokens: 120, stopWhen, cache }));
  const { mean } = model.cacheStatistics();
  console.log(`--- ${cache.name}: ${keys(mean)} keys on average\n${written!.text.trimEnd()}`);
}
console.log(`\n${keepTask.name} never keeps more than ${budget} keys`);
await model.dispose();
