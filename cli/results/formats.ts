// The section on formats: what quantized weights, and keys and values of other types, do to perplexity, to the likeliest next token, and to passes. Each combination of
// formats is one line of VARIANTS.

import { estimate, loadModel, type LoadOptions, type Model } from "kedge";
import { PLAIN } from "../evaluation/completer.ts";
import { measure } from "../evaluation/measure.ts";
import { readTasks } from "../evaluation/tasks.ts";
import { BATCH, MODELS, SETS, type ReportContext } from "./context.ts";
import { bytes, command, intervalText, percent, table } from "./markdown.ts";
import type { SmolLm2 } from "./smollm2.ts";

/** A combination of formats, by the options of loading. The others are compared with the first. */
const VARIANTS: readonly { readonly name: string; readonly options: LoadOptions }[] = [
  { name: "as stored", options: {} },
  { name: "int8", options: { quantize: "int8" } },
  { name: "int4", options: { quantize: "int4" } },
  { name: "f16 cache", options: { cacheType: "f16" } },
  { name: "int8 cache", options: { cacheType: "int8" } },
  { name: "int8, int8 cache", options: { quantize: "int8", cacheType: "int8" } },
];
/** Tokens of a piece of text; pieces are read independently of each other. */
const PIECE_TOKENS = 256;
const SMOLLM2_TOKENS = 8192;
const SHIPPED_TASKS = 200;

/** Sums over the tokens of texts, teacher-forced. */
interface Likeness {
  readonly weights: number;
  /** bytes of keys and values of one token */
  readonly cachePerToken: number;
  tokens: number;
  logProb: number;
  same: number;
  divergence: number;
}

/** Section on formats; SmolLM2's part is made when its folder and HumanEval-X are given. */
export async function formats(context: ReportContext, smolLm2: SmolLm2 | undefined): Promise<string> {
  const parts: string[] = [];
  if (smolLm2) parts.push(await smolLm2Part(context, smolLm2));
  for (const name of ["dense", "anchored"] as const) parts.push(await shippedPart(context, name));
  return `## Formats of weights and caches: as stored, f16, int8, int4

Perplexity and likeness are teacher-forced: every piece of text is read once, and each of its tokens is scored. "Same next token" is the share of positions at which the most likely next token
equals that of the model as stored. The divergence is that of Kullback and Leibler, of the changed model's next token from the stored one's, in nats, mean over positions. A format that changes nothing gives 1 and 0.
int4 keeps embedding and head as int8. Keys and values are f32 unless the name says otherwise; "cache" is their bytes per token.

${parts.join("\n\n")}`;
}

async function smolLm2Part(context: ReportContext, { folder, humaneval }: SmolLm2): Promise<string> {
  const tasks = await readTasks(humaneval);
  const text = tasks.map(({ prompt, canonicalSolution }) => prompt + canonicalSolution).join("\n");
  const likenesses = await compare(context, folder, (model) => {
    const tokens = model.tokenize(text).slice(0, SMOLLM2_TOKENS);
    const pieces: number[][] = [];
    for (let begin = 0; begin < tokens.length; begin += PIECE_TOKENS)
      pieces.push(tokens.slice(begin, begin + PIECE_TOKENS));
    return pieces;
  });
  const [file] = humaneval.split("/").slice(-1);
  return `### SmolLM2-135M-Instruct

The first ${SMOLLM2_TOKENS} tokens of HumanEval-X's JavaScript prompts and canonical solutions (\`${file}\`), one after the other, in pieces of ${PIECE_TOKENS}: ${likenesses[0]!.tokens} tokens scored.
**The weights of this checkpoint come from 4 bits** (q4_1, groups of 32 with a scale and a minimum, decoded to bf16): int4 has nearly the same sixteen values per group, so it loses less here than with a
model that was never quantized. int8 has no minimum and cannot represent those values exactly, so it compares worse than it otherwise would.

${table([HEAD, ...likenesses.map(rowOf)])}

${command(`npm run results -- --only formats --smollm2 ${folder.split("/").at(-1)} --humaneval ${file}`)}`;
}

const HEAD = ["", "weights", "cache", "perplexity", "of stored", "same next token", "divergence"];

function rowOf(
  { weights, cachePerToken, tokens, logProb, same, divergence }: Likeness,
  variant: number,
  all: readonly Likeness[],
) {
  const perplexity = Math.exp(-logProb / tokens);
  const stored = Math.exp(-all[0]!.logProb / all[0]!.tokens);
  return [
    VARIANTS[variant]!.name,
    bytes(weights),
    bytes(cachePerToken),
    perplexity.toFixed(3),
    percent(perplexity / stored, 2),
    percent(same / tokens),
    divergence === 0 ? "0" : (divergence / tokens).toPrecision(2),
  ];
}

async function shippedPart(context: ReportContext, name: keyof typeof MODELS): Promise<string> {
  const tasks = [...context.tasks.std, ...context.tasks.long];
  const folder = MODELS[name];
  const likenesses = await compare(context, folder, (model) =>
    tasks
      .map(({ prompt, canonicalSolution }) => model.tokenize(prompt + canonicalSolution).slice(0, model.contextLength))
      .filter((tokens) => tokens.length > 1)
      .slice(0, 2 * SHIPPED_TASKS),
  );
  const passed: string[][] = [];
  for (const [i, { name: variant, options }] of VARIANTS.entries()) {
    const cells: string[] = [];
    for (const set of ["std", "long"] as const) {
      const measured = i === 0 ? await context.measure(name, set) : await passes(context, name, set, options, variant);
      const { passAt, interval } = measured.evaluation;
      cells.push(`${passAt["1"]!.toFixed(3)} (${intervalText(interval)})`);
    }
    passed.push([...rowOf(likenesses[i]!, i, likenesses), ...cells]);
  }
  return `### ${folder.split("/").at(-1)}

Prompts and canonical solutions of both evaluation sets, each a text of its own: ${likenesses[0]!.tokens} tokens scored. pass@1 is greedy, ${context.tasks.std.length} and ${context.tasks.long.length} tasks, with its 95 % interval.

${table([[...HEAD, "pass@1, std", "pass@1, long"], ...passed])}

${command(...Object.values(SETS).flatMap((set) => VARIANTS.map(({ options }) => `npx kedge eval ${folder} ${set} --batch ${BATCH}${flagsOf(options)}`)))}`;
}

function flagsOf({ quantize, cacheType }: LoadOptions): string {
  return `${quantize ? ` --quantize ${quantize}` : ""}${cacheType ? ` --cache-type ${cacheType}` : ""}`;
}

async function passes(
  context: ReportContext,
  name: keyof typeof MODELS,
  set: keyof typeof SETS,
  options: LoadOptions,
  variant: string,
) {
  context.log(`${name} on ${set}: ${variant}`);
  const model = await loadModel(MODELS[name], options);
  try {
    const { sandbox, tasks } = context;
    return await measure({
      model,
      modelName: "shipped",
      tasks: tasks[set],
      sandbox,
      decoding: PLAIN,
      batchSize: BATCH,
    });
  } finally {
    await model.dispose();
  }
}

/** Every variant's likeness to the first one, over pieces of text that `cut` makes. */
async function compare(
  context: ReportContext,
  folder: string,
  cut: (model: Model) => readonly (readonly number[])[],
): Promise<Likeness[]> {
  const models: Model[] = [];
  try {
    for (const { options } of VARIANTS) models.push(await loadModel(folder, options));
    const pieces = cut(models[0]!);
    const sums = models.map((model): Likeness => {
      const { weights } = model.memory();
      const { cachePerToken } = estimate(model.config, "f32", 1, model.cacheType);
      return { weights, cachePerToken, tokens: 0, logProb: 0, same: 0, divergence: 0 };
    });
    for (const [i, piece] of pieces.entries()) {
      if (i % 20 === 0) context.log(`likeness of ${folder}: piece ${i} of ${pieces.length}`);
      const logits: Float32Array[] = [];
      for (const model of models) logits.push((await model.forward(piece, { logits: "all" })).logits!.data);
      const { vocabSize } = models[0]!.config;
      for (let row = 0; row + 1 < piece.length; row++) {
        const rows = logits.map((data) => data.subarray(row * vocabSize, (row + 1) * vocabSize));
        addRow(sums, rows, piece[row + 1]!);
      }
    }
    return sums;
  } finally {
    for (const model of models) await model.dispose();
  }
}

function addRow(sums: readonly Likeness[], rows: readonly Float32Array[], next: number): void {
  const totals = rows.map(logTotal);
  const [stored] = rows as readonly [Float32Array, ...Float32Array[]];
  const best = argmax(stored);
  for (const [i, row] of rows.entries()) {
    const sum = sums[i]!;
    sum.tokens++;
    sum.logProb += row[next]! - totals[i]!;
    if (argmax(row) === best) sum.same++;
    if (i === 0) continue;
    const shift = totals[i]! - totals[0]!;
    let divergence = 0;
    for (let token = 0; token < row.length; token++) {
      divergence += Math.exp(stored[token]! - totals[0]!) * (stored[token]! - row[token]! + shift);
    }
    sum.divergence += divergence;
  }
}

function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** log of the sum of exponentials. */
function logTotal(row: Float32Array): number {
  const most = row[argmax(row)]!;
  let sum = 0;
  for (const logit of row) sum += Math.exp(logit - most);
  return most + Math.log(sum);
}
