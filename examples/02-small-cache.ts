// Writes a function after a long prompt with caches of several kinds, and prints what each kept: a model that was trained with
// anchors keeps one key a line of all that is finished; policies make a cache small for any model, at a price.

import { collect, loadModel, policies, type CachePolicy, type Model } from "kedge";

const prompt = `/**
 * Make the first letter of every word upper case.
 * Remove duplicate words.
 * Drop words of 5 or more letters.
 */
function solveItem(names) {
  const a = names.map((w) => w.charAt(0).toUpperCase() + w.slice(1));
  const b = [...new Set(a)];
  return b.filter((w) => w.length < 5);
}

/**
 * First keep the even values, and finally find the
 * minimum.
 */
function smallestEven(nums) {
`;

const stopWhen = ({ text }: { readonly text: string }) => /^\}/m.test(text);

/** Continues the prompt and prints whether the function is right, and the bytes of keys and values. */
async function tryCache(model: Model, label: string, cache?: CachePolicy): Promise<void> {
  model.resetCacheStatistics();
  const [written] = await collect(model.generate(prompt, { maxTokens: 120, stopWhen, ...(cache && { cache }) }));
  const { mean, denseMean } = model.cacheStatistics();
  const share = `${((100 * mean) / denseMean).toFixed(0)} % of ${(denseMean / 1e3).toFixed(0)} kB`;
  console.log(`${label.padEnd(38)} ${share.padEnd(15)} ${rate(written!.text)}`);
}

function rate(body: string): string {
  try {
    // oxlint-disable-next-line no-new-func -- the models were trained for this project; their functions are pure
    const smallestEven = new Function("nums", body.slice(0, body.search(/^\}/m))) as (nums: number[]) => unknown;
    return smallestEven([1, 6, -3, 4, 9]) === 4 ? "right" : "wrong";
  } catch {
    return "no function";
  }
}

const dense = await loadModel("models/kedge-js-5m");
await tryCache(dense, "trained dense, everything kept");
for (const cache of [policies.window({ budget: 24 }), policies.snapKv({ budget: 24, window: 8 }), policies.anchors()]) {
  await tryCache(dense, `trained dense, ${cache.name}`, cache);
}
await dense.dispose();

const anchored = await loadModel("models/kedge-js-5m-anchor");
await tryCache(anchored, "trained with anchors");
await anchored.dispose();
