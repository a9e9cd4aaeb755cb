// kedge bench: how fast a model is here. Every round reads a prompt of random tokens and writes greedy ones after it; the first
// round is not counted, since programs are compiled and memory is taken in it. Medians, and the slowest and fastest round.

import type { Command } from "commander";
import type { Model } from "kedge";
import { seededRandom } from "kedge/kernels";
import { addCacheType, addDevice, addJson, UsageError, whole, type DeviceArguments } from "./arguments.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import { Pace } from "./pace.ts";
import type { Bar, Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface BenchArguments extends DeviceArguments {
  readonly promptTokens: number;
  readonly tokens: number;
  readonly rounds: number;
  readonly json?: boolean;
}

/** Tokens per second over rounds. */
interface Spread {
  readonly median: number;
  readonly slowest: number;
  readonly fastest: number;
}

interface Spreads {
  readonly prefill: Spread;
  readonly decode: Spread;
}

/** `kedge bench MODEL` */
export const bench: Verb = {
  name: "bench",
  configure(command: Command) {
    command
      .summary("time reading and writing of tokens")
      .description("Times reading a prompt (prefill) and writing tokens one by one (decode), in tokens per second.")
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .option("--prompt-tokens <n>", "tokens of the prompt", whole("--prompt-tokens", 1), 128)
      .option("--tokens <n>", "tokens to write after it", whole("--tokens", 1), 64)
      .option("--rounds <n>", "rounds to time, after one that is not counted", whole("--rounds", 1, 1000), 5);
    addJson(addDevice(addCacheType(command)));
  },
  async execute(terminal, [source], given: BenchArguments) {
    const options = loadOptions(given);
    await withModel(source!, options, terminal, async ({ model, name }) => {
      const { promptTokens, tokens } = given;
      const needed = promptTokens + tokens + 1;
      if (needed > model.contextLength) {
        throw new UsageError(
          `--prompt-tokens ${promptTokens} and --tokens ${tokens} want a context of ${needed} tokens; this model's holds ${model.contextLength}`,
        );
      }
      const spreads = await terminal.withBar((bar) => timeRounds(model, given, bar, terminal.signal));
      tell(terminal, model, name, given, spreads);
    });
    return 0;
  },
};

function tell(
  terminal: Terminal,
  model: Model,
  name: string,
  { promptTokens, tokens, rounds, json }: BenchArguments,
  { prefill, decode }: Spreads,
): void {
  const memory = model.memory();
  if (json) {
    const { name: device, description: deviceDescription } = model.device;
    terminal.printJson({
      model: name,
      device,
      deviceDescription,
      cacheType: model.cacheType,
      promptTokens,
      tokens,
      rounds,
      prefill,
      decode,
      memory,
    });
    return;
  }
  terminal.print(
    ...format.table(
      [
        ["", "tokens/s", "slowest", "fastest", ""],
        ["prefill", ...speeds(prefill), `${format.plural(promptTokens, "token")} at once`],
        ["decode", ...speeds(decode), `${format.plural(tokens, "token")} one by one`],
      ],
      [1, 2, 3],
    ),
    terminal.style(
      `median of ${format.plural(rounds, "round")}; weights ${format.bytes(memory.weights)}, ` +
        `activations ${format.bytes(memory.activations)}, cache ${format.bytes(memory.cache.peak)}`,
      "dim",
    ),
  );
}

function speeds({ median, slowest, fastest }: Spread): string[] {
  return [format.rate(median), format.rate(slowest), format.rate(fastest)];
}

async function timeRounds(
  model: Model,
  { promptTokens, tokens, rounds }: BenchArguments,
  bar: Bar,
  signal: AbortSignal,
): Promise<Spreads> {
  const random = seededRandom(1);
  const { vocabSize } = model.config;
  const prefill: number[] = [];
  const decode: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    bar.update(round, rounds + 1, round === 0 ? "warming up" : `round ${round} of ${rounds}`);
    // Other tokens every round, so that nothing that might be remembered helps.
    const prompt = Array.from({ length: promptTokens }, () => random.integer(vocabSize));
    const pace = new Pace(() => promptTokens);
    const pieces = model.generate(prompt, {
      maxTokens: tokens + 1, // the first is the prefill's
      ignoreEndTokens: true,
      stopWhen: pace.stopWhen,
      signal,
    });
    for await (const piece of pieces) pace.count(piece);
    if (round === 0) continue;
    prefill.push(pace.prefill.tokensPerSecond);
    decode.push(pace.decode.tokensPerSecond);
  }
  return { prefill: spread(prefill), decode: spread(decode) };
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, slowest: sorted[0]!, fastest: sorted.at(-1)! };
}
