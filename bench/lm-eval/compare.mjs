// Compares the log-likelihoods and greedy flags of two runs of lm_eval with --log_samples: `node bench/lm-eval/compare.mjs OUT OTHER`.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The answers of a run by item: a log-likelihood and a greedy flag for each choice. */
function answersIn(folder) {
  const samples = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => /samples_.*\.jsonl$/.test(file))
    .sort()
    .at(-1);
  if (samples === undefined) throw new Error(`${folder}: there is no samples_*.jsonl; run lm_eval with --log_samples`);
  const lines = readFileSync(join(folder, samples), "utf8").trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const { doc_id: item, resps } = JSON.parse(line);
      return [item, resps.map((response) => response.flat(Infinity))];
    }),
  );
}

const [one, other] = process.argv.slice(2).map(answersIn);
let [count, largest, same] = [0, 0, 0];
for (const [item, choices] of one) {
  for (const [i, [logLikelihood, isGreedy]] of choices.entries()) {
    const [otherLogLikelihood, isOtherGreedy] = other.get(item)[i];
    count++;
    largest = Math.max(largest, Math.abs(Number(logLikelihood) - Number(otherLogLikelihood)));
    if (String(isGreedy) === String(isOtherGreedy)) same++;
  }
}
console.log(`${count} continuations; largest difference ${largest.toExponential(1)}; greedy flags equal: ${same}`);
