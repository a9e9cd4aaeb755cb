// Several prompts as rows of one batch, each with the text it would have alone; log-probabilities of what was chosen;
// and the perplexity of given texts.

import { collect, loadModel } from "kedge";

const model = await loadModel("models/kedge-js-5m");
const { tokenizer } = model;
if (!tokenizer) throw new Error("the model has no tokenizer");

const tasks = ["Find the longest word.", "Remove duplicate words.", "Make the first letter of every word upper case."];
const prompts = tasks.map((task) => `/**\n * ${task}\n */\nfunction total(words) {\n`);

// One batch: a weight is read once for all rows. `logProbs: 1` also gives the likeliest token at each place.
const stopWhen = ({ text }: { readonly text: string }) => /^\}/m.test(text);
const texts = await collect(model.generateBatch(prompts, { maxTokens: 120, stopWhen, logProbs: 1 }));
for (const { promptIndex, text, logProbs = [] } of texts) {
  const total = logProbs.reduce((sum, { logProb }) => sum + logProb, 0);
  const unsure = logProbs.reduce((a, b) => (b.logProb < a.logProb ? b : a));
  console.log(`// ${tasks[promptIndex]}\n${text.trimEnd()}`);
  console.log(
    `// log-probability ${total.toFixed(2)} over ${logProbs.length} tokens; least sure of ` +
      `${JSON.stringify(tokenizer.decode([unsure.token]))}, ${(Math.exp(unsure.logProb) * 100).toFixed(0)} %\n`,
  );
}

// Perplexity of a text that is given: the right body, and one that does another thing.
const head = "/**\n * Find the minimum.\n */\nfunction total(xs) {\n";
for (const body of ["  return Math.min(...xs);\n}\n", "  return Math.max(...xs);\n}\n"]) {
  const { perplexity, logProbs } = await model.score(head + body);
  const own = logProbs.slice(model.tokenize(head).length - 1);
  const sum = own.reduce((a, b) => a + b, 0);
  console.log(
    `${body.split("\n")[0]!.trim().padEnd(26)} log p(body) ${sum.toFixed(2)}, perplexity ${perplexity.toFixed(2)}`,
  );
}
await model.dispose();
