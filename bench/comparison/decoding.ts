// Decoding and prefill, of anything that continues tokens greedily and says when each was there.

import type { Ready, Task } from "./contender.ts";

/** Greedy tokens, and when each was there, in milliseconds. */
export interface Continuation {
  readonly tokens: readonly number[];
  readonly begin: number;
  readonly times: readonly number[];
}

/** What a round of decoding or of prefill reached, in tokens per second. */
export function rateOf({ work, prompt }: Task, { begin, times }: Pick<Continuation, "begin" | "times">): number {
  const [first, last] = [times[0]!, times.at(-1)!];
  return work === "prefill"
    ? (prompt.tokens.length * 1000) / (first - begin)
    : ((times.length - 1) * 1000) / (last - first);
}

/** How many tokens a round makes. */
export function roundTokens({ work, count }: Task): number {
  return work === "prefill" ? 1 : count;
}

/** Warms up with the whole task, then gives rounds. */
export async function prepareDecoding(
  task: Task,
  settings: Ready["settings"],
  complete: (prompt: readonly number[], count: number) => Promise<Continuation>,
): Promise<{ readonly ready: Ready; round(): Promise<number> }> {
  const run = async (count: number): Promise<Continuation> => {
    const done = await complete(task.prompt.tokens, count);
    if (done.times.length !== count) throw new Error(`${done.times.length} tokens came, not ${count}`);
    return done;
  };
  const { tokens } = await run(task.count);
  return { ready: { settings, tokens }, round: async () => rateOf(task, await run(roundTokens(task))) };
}
