// What the tests of a free event loop share: a long prompt, how late a 10 ms timer may be, and the control: an
// idle thread with the same timer. Where the cores are busy with other things it waits too, and that is not kedge's doing.

import { readFileSync } from "node:fs";
import type { Model } from "kedge";
import { isFullExtent } from "./extent.ts";

/** Tokens of the prefill on a device: 512, and fewer on a software GPU that takes seconds for them, short of the full extent. */
export function promptTokens(device: string): number {
  return device === "webgpu" && !isFullExtent ? 128 : 512;
}
/** The longest that a 10 ms timer may keep its caller waiting during a prefill. */
export const MOST_WAIT_MILLISECONDS = 50;

/** A text of about so many tokens of the shipped model. */
export function longPrompt(model: Model, count: number): string {
  const tasks = readFileSync("models/kedge-js-5m/eval-long.jsonl", "utf8").trim().split("\n").slice(0, 12);
  const text = tasks.map((line) => (JSON.parse(line) as { prompt: string }).prompt).join("}\n\n");
  const tokens = model.tokenize(text).slice(0, count);
  if (!model.tokenizer || tokens.length < count) throw new Error(`the tasks have only ${tokens.length} tokens`);
  return model.tokenizer.decode(tokens);
}

/** Source of the control: posts the longest time between two ticks when it is sent a message. Runs in Node and in pages. */
export const CONTROL = `
  let [last, wait] = [performance.now(), 0];
  const look = () => { const now = performance.now(); wait = Math.max(wait, now - last); last = now; };
  setInterval(look, 10);
  const answer = (post) => { look(); post(wait); wait = 0; };
  if (typeof postMessage === "function") onmessage = () => answer(postMessage);
  else process.getBuiltinModule("node:worker_threads").parentPort.on("message", function () { answer((x) => this.postMessage(x)); });
`;

/** Rounds until one has no wait beyond the limit that the control did not have too. */
export async function expectNoLongWait(
  round: () => Promise<{ readonly wait: number; readonly control: number }>,
): Promise<void> {
  const told: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { wait, control } = await round();
    if (wait <= MOST_WAIT_MILLISECONDS + control) return;
    told.push(`${wait.toFixed(0)} (an idle thread ${control.toFixed(0)})`);
  }
  throw new Error(`the longest waits of a 10 ms timer were ${told.join(", ")} ms; wanted ${MOST_WAIT_MILLISECONDS}`);
}
